//! Reads pickles that hold plain data, and no others.
//!
//! A pickle is a program for a stack machine, and Python's own reader lets it call whatever it names. This one knows the
//! opcodes of dict, list, tuple, str, bytes, int, float, bool and None, as protocols 2 to 5 write them, and no opcode that
//! names, calls or builds anything else: there is nothing here that such a pickle could run.
//! The opcodes are those of Python's `pickletools`.

use serde_json::Number;

use super::message::Malformed;
use crate::types::Value;

/// Values that a pickle may make. Each costs memory, whatever its size.
const MOST_VALUES: usize = 100_000;
/// How deep values may lie in each other, as in JSON.
const DEPTH: usize = 127;
/// The newest protocol there is.
const PROTOCOL: u8 = 5;

/// A value's place among all that the pickle makes. A memo can name a value several times, and a list before it is full.
type Place = usize;

#[derive(Clone)]
enum Node<'a> {
    Leaf(Leaf<'a>),
    List(Vec<Place>),
    Tuple(Vec<Place>),
    Dict(Vec<(Place, Place)>),
}

#[derive(Clone, Copy)]
enum Leaf<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// The value of a pickle. `most` is how many bytes of text and data it may come to, which a memo could multiply.
///
/// # Errors
/// Where it is cut off, damaged, too large, too deep, or holds anything but plain data.
pub fn read(pickle: &[u8], most: usize) -> Result<Value, Malformed> {
    let mut machine =
        Machine { rest: pickle, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: Vec::new() };
    let root = machine.run()?;
    Unfolding { nodes: &machine.nodes, values: MOST_VALUES, bytes: most }.value(root, DEPTH)
}

struct Machine<'a> {
    rest: &'a [u8],
    nodes: Vec<Node<'a>>,
    stack: Vec<Place>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: Vec<Option<Place>>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Place, Malformed> {
        loop {
            match self.byte()? {
                b'.' => return self.pop(),
                opcode => self.step(opcode)?,
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Result<(), Malformed> {
        match opcode {
            // PROTO, FRAME
            0x80 if self.byte()? <= PROTOCOL => Ok(()),
            0x95 => self.number::<8>().map(drop),
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.push(Node::Leaf(Leaf::None)),
            0x88 => self.push(Node::Leaf(Leaf::Bool(true))),
            0x89 => self.push(Node::Leaf(Leaf::Bool(false))),
            // BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
            b'J' => {
                let int = i32::from_le_bytes(self.array()?);
                self.push(Node::Leaf(Leaf::Int(int.into())))
            }
            b'K' => self.number::<1>().and_then(|int| self.push(Node::Leaf(Leaf::Int(int as i64)))),
            b'M' => self.number::<2>().and_then(|int| self.push(Node::Leaf(Leaf::Int(int as i64)))),
            0x8a => self.sized::<1>().and_then(|bytes| self.push(Node::Leaf(long(bytes)))),
            0x8b => self.sized::<4>().and_then(|bytes| self.push(Node::Leaf(long(bytes)))),
            b'G' => {
                let float = f64::from_be_bytes(self.array()?);
                self.push(Node::Leaf(Leaf::Float(float)))
            }
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
            0x8c => self.sized::<1>().and_then(|bytes| self.text(bytes)),
            b'X' => self.sized::<4>().and_then(|bytes| self.text(bytes)),
            0x8d => self.sized::<8>().and_then(|bytes| self.text(bytes)),
            // SHORT_BINBYTES, BINBYTES, BINBYTES8
            b'C' => self.sized::<1>().and_then(|bytes| self.push(Node::Leaf(Leaf::Bytes(bytes)))),
            b'B' => self.sized::<4>().and_then(|bytes| self.push(Node::Leaf(Leaf::Bytes(bytes)))),
            0x8e => self.sized::<8>().and_then(|bytes| self.push(Node::Leaf(Leaf::Bytes(bytes)))),
            // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
            b'q' => self.number::<1>().and_then(|place| self.remember(place)),
            b'r' => self.number::<4>().and_then(|place| self.remember(place)),
            0x94 => self.remember(self.memo.len() as u64),
            b'h' => self.number::<1>().and_then(|place| self.recall(place)),
            b'j' => self.number::<4>().and_then(|place| self.recall(place)),
            _ => self.collect(opcode),
        }
    }

    /// The opcodes of containers.
    fn collect(&mut self, opcode: u8) -> Result<(), Malformed> {
        match opcode {
            // MARK
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
            b')' => self.push(Node::Tuple(Vec::new())),
            0x85..=0x87 => {
                let items = self.top(usize::from(opcode - 0x84))?;
                self.push(Node::Tuple(items))
            }
            b't' => {
                let items = self.since_mark()?;
                self.push(Node::Tuple(items))
            }
            // EMPTY_LIST, APPEND, APPENDS
            b']' => self.push(Node::List(Vec::new())),
            b'a' => {
                let items = self.top(1)?;
                self.append(items)
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)
            }
            // EMPTY_DICT, SETITEM, SETITEMS
            b'}' => self.push(Node::Dict(Vec::new())),
            b's' => {
                let items = self.top(2)?;
                self.set(&items)
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(&items)
            }
            _ => Err(Malformed("a pickle that holds more than plain data")),
        }
    }

    fn push(&mut self, node: Node<'a>) -> Result<(), Malformed> {
        if self.nodes.len() == MOST_VALUES {
            return Err(Malformed("a pickle of too many values"));
        }
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn text(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed("a pickle with a text that is not UTF-8"))?;
        self.push(Node::Leaf(Leaf::Text(text)))
    }

    fn append(&mut self, items: Vec<Place>) -> Result<(), Malformed> {
        match self.stack.last().map(|place| &mut self.nodes[*place]) {
            Some(Node::List(list)) => list.extend(items),
            _ => return Err(DAMAGED),
        }
        Ok(())
    }

    fn set(&mut self, items: &[Place]) -> Result<(), Malformed> {
        match self.stack.last().map(|place| &mut self.nodes[*place]) {
            Some(Node::Dict(dict)) if items.len().is_multiple_of(2) => {
                dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            _ => return Err(DAMAGED),
        }
        Ok(())
    }

    fn remember(&mut self, at: u64) -> Result<(), Malformed> {
        let place = *self.stack.last().ok_or(DAMAGED)?;
        let at = usize::try_from(at).ok().filter(|at| *at < MOST_VALUES).ok_or(DAMAGED)?;
        if self.memo.len() <= at {
            self.memo.resize(at + 1, None);
        }
        self.memo[at] = Some(place);
        Ok(())
    }

    /// What is on the stack is counted with what it refers to, when it is unfolded.
    fn recall(&mut self, at: u64) -> Result<(), Malformed> {
        let at = usize::try_from(at).map_err(|_| DAMAGED)?;
        let place = self.memo.get(at).copied().flatten().ok_or(DAMAGED)?;
        self.stack.push(place);
        Ok(())
    }

    fn pop(&mut self) -> Result<Place, Malformed> {
        self.stack.pop().ok_or(DAMAGED)
    }

    /// Takes the uppermost `count` values from the stack; they may not reach below a mark.
    fn top(&mut self, count: usize) -> Result<Vec<Place>, Malformed> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let start = self.stack.len().checked_sub(count).filter(|start| *start >= floor).ok_or(DAMAGED)?;
        Ok(self.stack.split_off(start))
    }

    fn since_mark(&mut self) -> Result<Vec<Place>, Malformed> {
        let start = self.marks.pop().filter(|start| *start <= self.stack.len()).ok_or(DAMAGED)?;
        Ok(self.stack.split_off(start))
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(*array)
    }

    /// A whole number of `N` bytes, the lowest first.
    fn number<const N: usize>(&mut self) -> Result<u64, Malformed> {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(&self.array::<N>()?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// As many bytes as the number of `N` bytes before them says.
    fn sized<const N: usize>(&mut self) -> Result<&'a [u8], Malformed> {
        let size = usize::try_from(self.number::<N>()?).map_err(|_| CUT_OFF)?;
        let (bytes, rest) = self.rest.split_at_checked(size).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(bytes)
    }
}

const CUT_OFF: Malformed = Malformed("a pickle that is cut off");
const DAMAGED: Malformed = Malformed("a pickle that is damaged");

/// A whole number in two's complement, the lowest byte first. What does not fit is as near as JSON's numbers are in
/// JavaScript.
fn long<'a>(bytes: &[u8]) -> Leaf<'a> {
    let negative = bytes.last().is_some_and(|highest| *highest >= 0x80);
    let fill = if negative { 0xff } else { 0 };
    if bytes.len() <= 8 {
        let mut whole = [fill; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        return Leaf::Int(i64::from_le_bytes(whole));
    }
    let size = bytes.iter().rev().fold(0.0, |sum: f64, byte| sum * 256.0 + f64::from(byte ^ fill));
    Leaf::Float(if negative { -size - 1.0 } else { size })
}

/// Makes values of nodes: what a memo shares is there as often as it is named, so all of it is counted.
struct Unfolding<'a> {
    nodes: &'a [Node<'a>],
    values: usize,
    bytes: usize,
}

impl Unfolding<'_> {
    fn value(&mut self, place: Place, depth: usize) -> Result<Value, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed("a pickle that is too deep"))?;
        self.values = self.values.checked_sub(1).ok_or(Malformed("a pickle of too many values"))?;
        match &self.nodes[place] {
            Node::Leaf(leaf) => self.leaf(*leaf),
            Node::List(items) => self.items(items, depth).map(Value::List),
            Node::Tuple(items) => self.items(items, depth).map(Value::Tuple),
            Node::Dict(entries) => {
                let entry = |(key, value): &(Place, Place)| Ok((self.key(*key)?, self.value(*value, depth)?));
                entries.iter().map(entry).collect::<Result<_, _>>().map(Value::Map)
            }
        }
    }

    fn items(&mut self, items: &[Place], depth: usize) -> Result<Vec<Value>, Malformed> {
        items.iter().map(|item| self.value(*item, depth)).collect()
    }

    fn leaf(&mut self, leaf: Leaf) -> Result<Value, Malformed> {
        Ok(match leaf {
            Leaf::None => Value::Null,
            Leaf::Bool(is) => Value::Bool(is),
            Leaf::Int(int) => Value::Number(int.into()),
            // JSON has no NaN and no infinity.
            Leaf::Float(float) => Number::from_f64(float).map_or(Value::Null, Value::Number),
            Leaf::Text(text) => Value::Text(self.counted(text.as_bytes()).map(|_| text.to_owned())?),
            Leaf::Bytes(bytes) => Value::Bytes(self.counted(bytes)?.to_owned()),
        })
    }

    /// As Python's JSON writes keys.
    fn key(&mut self, place: Place) -> Result<String, Malformed> {
        match &self.nodes[place] {
            Node::Leaf(Leaf::Text(text)) => self.counted(text.as_bytes()).map(|_| (*text).to_owned()),
            Node::Leaf(Leaf::Int(int)) => Ok(int.to_string()),
            Node::Leaf(Leaf::Bool(is)) => Ok(is.to_string()),
            Node::Leaf(Leaf::None) => Ok("null".into()),
            _ => Err(Malformed("a pickle with a key that JSON cannot have")),
        }
    }

    fn counted<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Malformed> {
        self.bytes = self.bytes.checked_sub(bytes.len()).ok_or(Malformed("a pickle that unfolds to too much"))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde_json::json;

    use super::*;

    const MOST: usize = 1_000_000;

    fn shown(pickle: &[u8]) -> Result<serde_json::Value, Malformed> {
        read(pickle, MOST).map(|value| serde_json::to_value(&value).unwrap())
    }

    /// Made by `pickle.dumps([{"a": 1, 2: None}, (True, -3, 70000, 1.5), "é", b"\x00\xff"], PROTOCOL)`, beginning with protocol 3.
    const MIXED: [&str; 3] = [
        "gANdcQAofXEBKFgBAAAAYXECSwFLAk51KIhK/f///0pwEQEARz/4AAAAAAAAdHEDWAIAAADDqXEEQwIA/3EFZS4=",
        "gASVMwAAAAAAAABdlCh9lCiMAWGUSwFLAk51KIhK/f///0pwEQEARz/4AAAAAAAAdJSMAsOplEMCAP+UZS4=",
        "gAWVMwAAAAAAAABdlCh9lCiMAWGUSwFLAk51KIhK/f///0pwEQEARz/4AAAAAAAAdJSMAsOplEMCAP+UZS4=",
    ];

    #[test]
    fn plain_data_of_every_protocol_is_read() {
        for pickle in MIXED {
            let value = read(&BASE64_STANDARD.decode(pickle).unwrap(), MOST).unwrap();
            let Value::List(items) = value else { panic!("{value:?}") };
            assert_eq!(items[0], json!({ "a": 1, "2": null }).into());
            assert!(matches!(&items[1], Value::Tuple(four) if four.len() == 4), "{:?}", items[1]);
            assert_eq!(serde_json::to_value(&items[1]).unwrap(), json!([true, -3, 70000, 1.5]));
            assert_eq!(items[2], Value::Text("é".into()));
            assert_eq!(items[3], Value::Bytes(vec![0, 255]));
        }
    }

    #[test]
    fn large_numbers_are_as_near_as_in_javascript() {
        assert_eq!(shown(b"\x80\x04\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.").unwrap(), json!(i64::MAX));
        assert_eq!(shown(b"\x80\x04\x8a\x01\xff.").unwrap(), json!(-1));
        assert_eq!(shown(b"\x80\x04\x8a\x00.").unwrap(), json!(0));
        assert_eq!(
            shown(b"\x80\x04\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.").unwrap(),
            json!(18446744073709551616.0)
        );
        assert_eq!(
            shown(b"\x80\x04\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\xff.").unwrap(),
            json!(-18446744073709551616.0)
        );
    }

    #[test]
    fn nothing_is_named_called_or_built() {
        let hostile: [&[u8]; 12] = [
            b"cos\nsystem\n(S'id'\ntR.",
            b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.",
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
            b"\x80\x04(ios\nsystem\n.",
            b"\x80\x04(\x8c\x02ido.",
            b"\x80\x04N}b.",
            b"\x80\x04N)\x81.",
            b"\x80\x04Pid\n.",
            b"\x80\x04NQ.",
            b"\x80\x02\x82\x01.",
            // Python 2's bytes are made by a call.
            b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00a\x85R.",
            // A bytearray, and a set.
            b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00a.",
        ];
        for pickle in hostile {
            assert_eq!(shown(pickle), Err(Malformed("a pickle that holds more than plain data")), "{pickle:?}");
        }
    }

    #[test]
    fn what_unfolds_to_too_much_is_refused() {
        // Lists of ten times the list before: 10^20 values, in 200 bytes.
        let mut laughs = b"\x80\x04]\x94".to_vec();
        for level in 0..20u8 {
            laughs.extend(b"]\x94(");
            laughs.extend([b'h', level].repeat(10));
            laughs.push(b'e');
        }
        laughs.push(b'.');
        assert!(shown(&laughs).is_err());
        let mut texts = b"\x80\x04(\x8c\xff".to_vec();
        texts.extend([b'x'; 255]);
        texts.push(0x94);
        texts.extend(b"h\x00".repeat(5_000));
        texts.extend(b"t.");
        assert_eq!(shown(&texts), Err(Malformed("a pickle that unfolds to too much")));
        // A list in itself.
        assert_eq!(shown(b"\x80\x04]\x94h\x00a."), Err(Malformed("a pickle that is too deep")));
        let deep = [b"\x80\x04".to_vec(), b"]".repeat(50_000), b"a".repeat(49_999), b".".to_vec()].concat();
        assert_eq!(shown(&deep), Err(Malformed("a pickle that is too deep")));
        let many = [b"\x80\x04(".to_vec(), b"N".repeat(200_000), b"t.".to_vec()].concat();
        assert_eq!(shown(&many), Err(Malformed("a pickle of too many values")));
    }

    #[test]
    fn sizes_are_not_believed() {
        for start in
            [&b"\x80\x04X"[..], b"\x80\x04B", b"\x80\x04\x8b", b"\x80\x04\x8d", b"\x80\x04\x8e", b"\x80\x04\x95"]
        {
            for size in [0xffu8, 0x7f] {
                assert!(shown(&[start, &[size; 8], b"."].concat()).is_err());
            }
        }
        assert!(shown(b"\x80\x04Nr\xff\xff\xff\xff.").is_err(), "a place in the memo costs memory");
        assert!(shown(b"\x80\x04j\xff\xff\xff\xff.").is_err());
        assert!(shown(b"\x80\x09N.").is_err(), "no protocol of that number");
    }

    #[test]
    fn damage_of_any_kind_is_an_error_or_plain_data() {
        for pickle in MIXED.map(|pickle| BASE64_STANDARD.decode(pickle).unwrap()) {
            for end in 0..pickle.len() {
                assert!(shown(&pickle[..end]).is_err(), "cut off at {end}");
            }
            for at in 0..pickle.len() {
                for byte in 0..=255 {
                    let mut flipped = pickle.clone();
                    flipped[at] = byte;
                    let _ = shown(&flipped);
                }
            }
        }
        for _ in 0..20_000 {
            let noise: [u8; 40] = crate::types::random_bytes();
            let _ = shown(&[&b"\x80\x04(]}"[..], &noise, b"."].concat());
        }
    }
}
