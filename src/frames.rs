//! Follows the websocket frames of a connection (RFC 6455, section 5.2), to know how far its client has got.
//!
//! A client answers a ping in its place among what it has read. So a ping that names the last message before it, and comes
//! back, shows that all of those messages have arrived, whatever stands between us and the client.

/// How the event of a message begins on the wire; its id comes next.
const MESSAGE: &[u8] = b"42[\"new_message\",{\"id\":\"";
/// The length of an id as text.
const ID: usize = 36;
const START: usize = MESSAGE.len() + ID;

const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// What a ping carries: the id of the last message before it, all zeros before the first one.
pub type LastMessage = [u8; 16];

/// A whole ping.
pub fn ping(last: &LastMessage) -> [u8; 18] {
    let mut frame = [0; 18];
    frame[0] = FIN | PING;
    frame[1] = last.len() as u8;
    frame[2..].copy_from_slice(last);
    frame
}

/// Where a stream of frames stands, and the first bytes of the payload of the present one.
#[derive(Default)]
struct Frames<const KEPT: usize> {
    head: Vec<u8>,
    left: u64,
    payload: Vec<u8>,
}

impl<const KEPT: usize> Frames<KEPT> {
    /// Calls `whole` with the head and the kept payload of each frame that ends within these bytes.
    fn follow(&mut self, mut bytes: &[u8], mut whole: impl FnMut(&[u8], &[u8])) {
        while !bytes.is_empty() {
            if self.left == 0 {
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
                let Some(length) = payload_length(&self.head) else { continue };
                self.left = length;
            }
            let here = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let kept = here.min(KEPT - self.payload.len());
            self.payload.extend_from_slice(&bytes[..kept]);
            bytes = &bytes[here..];
            self.left -= here as u64;
            if self.left == 0 {
                whole(&self.head, &self.payload);
                self.head.clear();
                self.payload.clear();
            }
        }
    }

    fn is_between(&self) -> bool {
        self.head.is_empty()
    }
}

/// The length of the payload once the head is whole.
fn payload_length(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let (length, after) = match second & !MASKED {
        126 => (u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(head.get(2..10)?.try_into().ok()?), 10),
        length => (u64::from(length), 2),
    };
    let whole = after + if second & MASKED == 0 { 0 } else { 4 };
    (head.len() == whole).then_some(length)
}

/// What the server sends: never masked, never in fragments.
#[derive(Default)]
pub struct Outgoing {
    frames: Frames<START>,
    /// The last message that was sent whole.
    pub last: LastMessage,
}

impl Outgoing {
    pub fn follow(&mut self, bytes: &[u8]) {
        let last = &mut self.last;
        self.frames.follow(bytes, |_, payload| {
            if let Some(id) = payload.strip_prefix(MESSAGE).and_then(|id| uuid::Uuid::try_parse_ascii(id).ok()) {
                *last = id.into_bytes();
            }
        });
    }

    /// Whether a frame may be put in here.
    pub fn is_between_frames(&self) -> bool {
        self.frames.is_between()
    }
}

/// What the client sends: always masked.
#[derive(Default)]
pub struct Incoming {
    frames: Frames<16>,
}

impl Incoming {
    /// Calls `answered` with what each of our pings said that came back.
    pub fn follow(&mut self, bytes: &[u8], mut answered: impl FnMut(LastMessage)) {
        self.frames.follow(bytes, |head, payload| {
            let (Some(mask), Ok(mut last)) = (head.last_chunk::<4>(), LastMessage::try_from(payload)) else { return };
            if head[0] & 0xF == PONG && head[1] & MASKED != 0 {
                last.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
                answered(last);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let masked = if mask.is_some() { MASKED } else { 0 };
        let mut frame = vec![first];
        match payload.len() {
            0..126 => frame.push(masked | payload.len() as u8),
            126..65536 => {
                frame.push(masked | 126);
                frame.extend((payload.len() as u16).to_be_bytes());
            }
            _ => {
                frame.push(masked | 127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend(mask.into_iter().flatten());
        let mask = mask.unwrap_or_default();
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    #[test]
    fn the_last_message_is_known_however_the_bytes_are_cut() {
        let id = uuid::Uuid::from_u128(7);
        let message = format!("42[\"new_message\",{{\"id\":\"{id}\",\"message\":\"{}\"}}]", "x".repeat(70_000));
        let bytes = [
            frame(0x81, b"2", None),
            frame(0x81, message.as_bytes(), None),
            frame(0x89, b"", None),
            frame(0x81, b"42[\"user_left\",{}]", None),
        ]
        .concat();
        for size in [1, 2, 3, 7, 1000, bytes.len()] {
            let mut outgoing = Outgoing::default();
            bytes.chunks(size).for_each(|chunk| outgoing.follow(chunk));
            assert_eq!(outgoing.last, id.into_bytes(), "in pieces of {size}");
            assert!(outgoing.is_between_frames());
            outgoing.follow(&[0x81]);
            assert!(!outgoing.is_between_frames());
        }
    }

    #[test]
    fn an_answered_ping_tells_what_it_said() {
        let last = [9; 16];
        let bytes = [
            frame(0x81, b"42[\"x\"]", Some([1, 2, 3, 4])),
            frame(0x8A, &ping(&last)[2..], Some([5, 6, 7, 8])),
            frame(0x8A, b"of another's", Some([5, 6, 7, 8])),
        ]
        .concat();
        for size in [1, 5, bytes.len()] {
            let (mut incoming, mut found) = (Incoming::default(), Vec::new());
            bytes.chunks(size).for_each(|chunk| incoming.follow(chunk, |last| found.push(last)));
            assert_eq!(found, [last]);
        }
    }
}
