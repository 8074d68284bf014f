//! Encryption at rest: THE place where rows are sealed and opened.
//!
//! Three levels of keys:
//! 1. The master key (`master.key`: Fernet keys, newest first) opens only the table `data_keys`.
//! 2. A data key (32 random bytes) per purpose, and for messages per room, each in numbered generations.
//! 3. A column's Fernet key, derived: HMAC-SHA256(data key, column | room).
//!
//! A sealed value is `<generation>.<Fernet token>`. The token says nothing of its time (its timestamp is 0) and carries its
//! row's id inside; with the derived key this binds it to its column, room and row: moved elsewhere it does not open.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit as _, generic_array::GenericArray};
use anyhow::{Context, anyhow, bail};
use base64::{Engine, prelude::BASE64_URL_SAFE};
use fernet::Fernet;
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::master_key::MasterKey;
use super::place::{Column, KeyName, Place, Purpose};
use crate::types::{KeySource, MessageId, RoomId, RoomName, Timestamp, random_bytes};

/// A sealed value, as the database holds it. Only the vault makes or opens one.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed(String);

impl Sealed {
    pub(in crate::store) fn from_stored(value: String) -> Self {
        Self(value)
    }

    pub(in crate::store) fn into_stored(self) -> String {
        self.0
    }

    /// Under which generation of its key it is sealed, where it is a sealed value at all. Its beginning is enough.
    pub(in crate::store) fn generation(value: &str) -> Option<i32> {
        value.split_once('.')?.0.parse().ok()
    }
}

/// The blind index of a value: equal for equal values, and nothing else can be told from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Blind([u8; 32]);

impl Blind {
    pub(in crate::store) fn into_stored(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// A row of the table `data_keys`.
pub struct StoredKey {
    pub name: KeyName,
    pub generation: i32,
    pub sealed: String,
}

type ColumnKeys = HashMap<(Column, Option<RoomId>), Arc<Fernet>>;

struct DataKey {
    generation: i32,
    secret: Zeroizing<[u8; 32]>,
    /// The derived Fernet keys: deriving costs more than sealing a short text.
    columns: RwLock<ColumnKeys>,
    /// Keyed for the words of a room.
    words: Hmac<Sha256>,
}

impl DataKey {
    fn new(generation: i32, secret: Zeroizing<[u8; 32]>) -> Self {
        let mut mac = hmac(&secret[..]);
        mac.update(b"words");
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(mac.finalize().into_bytes().into());
        let words = hmac(&key[..]);
        Self { generation, secret, columns: RwLock::default(), words }
    }

    fn word(&self, label: &str) -> u32 {
        let mut mac = self.words.clone();
        mac.update(label.as_bytes());
        let hash = mac.finalize().into_bytes();
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
    }
}

/// All generations of one data key, newest first.
type Generations = Arc<Vec<DataKey>>;

pub struct Vault {
    source: KeySource,
    master: RwLock<MasterKey>,
    keys: RwLock<HashMap<KeyName, Generations>>,
    /// How often the keys had been changed when these were read.
    version: AtomicI64,
    /// Room profiles that were opened before: the list of groups is asked for at each join, and names never change.
    pub(in crate::store) room_names: RwLock<HashMap<RoomId, (Timestamp, RoomName)>>,
}

impl Vault {
    /// `source`: where the master key is read from again when it was changed.
    pub fn new(master: MasterKey, source: KeySource) -> Self {
        Self {
            source,
            master: RwLock::new(master),
            keys: RwLock::default(),
            version: AtomicI64::new(0),
            room_names: RwLock::default(),
        }
    }

    /// The first generation of a data key, to be stored before it is used.
    pub(in crate::store) fn new_key(&self, name: KeyName) -> StoredKey {
        self.key_of(name, 1, &random_bytes())
    }

    /// The generation that follows the newest one, sealed by `master`.
    pub(in crate::store) fn next_key(&self, name: KeyName, master: &MasterKey) -> anyhow::Result<StoredKey> {
        let generation = self.generations(name)?[0].generation + 1;
        Ok(seal_key(master, name, generation, &random_bytes()))
    }

    /// A first generation with the secret of another key's oldest one.
    pub(in crate::store) fn heir_key(&self, name: KeyName, of: KeyName) -> anyhow::Result<StoredKey> {
        let generations = self.generations(of)?;
        let oldest = generations.last().expect("a loaded key has a generation");
        Ok(self.key_of(name, 1, &oldest.secret))
    }

    fn key_of(&self, name: KeyName, generation: i32, secret: &[u8; 32]) -> StoredKey {
        seal_key(&self.master.read().expect("vault lock"), name, generation, secret)
    }

    /// The data keys that are loaded.
    pub(in crate::store) fn names(&self) -> Vec<KeyName> {
        self.keys.read().expect("vault lock").keys().copied().collect()
    }

    pub(in crate::store) fn version(&self) -> i64 {
        self.version.load(Ordering::Acquire)
    }

    /// Reads the master key again. What is loaded stays until it is loaded again.
    pub(in crate::store) fn reload_master(&self) -> anyhow::Result<()> {
        let master = MasterKey::load(&self.source)?.context("the file of the master key is gone")?;
        *self.master.write().expect("vault lock") = master;
        Ok(())
    }

    pub(in crate::store) fn set_version(&self, version: i64) {
        self.version.store(version, Ordering::Release);
    }

    pub(in crate::store) fn source(&self) -> &KeySource {
        &self.source
    }

    /// Whether rows may have the blind indexes of an older key.
    pub(in crate::store) fn are_blinds_changing(&self) -> bool {
        self.generations(KeyName::of(Purpose::Blind)).is_ok_and(|generations| generations.len() > 1)
    }

    /// The newest generation of a key that is loaded.
    pub(in crate::store) fn newest(&self, name: KeyName) -> anyhow::Result<i32> {
        Ok(self.generations(name)?[0].generation)
    }

    pub(in crate::store) fn has(&self, name: KeyName, generation: i32) -> bool {
        self.generations(name).is_ok_and(|all| all.iter().any(|key| key.generation == generation))
    }

    /// The data key is gone, with its room.
    pub(in crate::store) fn forget(&self, name: KeyName) {
        self.keys.write().expect("vault lock").remove(&name);
    }

    pub(in crate::store) fn knows(&self, name: KeyName) -> bool {
        self.keys.read().expect("vault lock").contains_key(&name)
    }

    /// Takes in all generations of one data key.
    pub(in crate::store) fn load(&self, name: KeyName, stored: Vec<StoredKey>) -> anyhow::Result<()> {
        let mut generations = Vec::with_capacity(stored.len());
        for key in stored {
            generations.push(open_data_key(&self.master.read().expect("vault lock"), &key)?);
        }
        if generations.is_empty() {
            bail!("the data key {name:?} is missing from the table data_keys");
        }
        generations.sort_by_key(|key: &DataKey| std::cmp::Reverse(key.generation));
        self.keys.write().expect("vault lock").insert(name, Arc::new(generations));
        Ok(())
    }

    pub(in crate::store) fn seal(&self, place: Place, plain: &[u8]) -> anyhow::Result<Sealed> {
        let (generation, token) = self.token(place, plain)?;
        Ok(Sealed(format!("{generation}.{token}")))
    }

    /// As [`Self::seal`], for files: four bytes of generation, then the token as it is before base64.
    pub(in crate::store) fn seal_bytes(&self, place: Place, plain: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (generation, token) = self.token(place, plain)?;
        let mut bytes = generation.to_be_bytes().to_vec();
        BASE64_URL_SAFE.decode_vec(token, &mut bytes)?;
        Ok(bytes)
    }

    pub(in crate::store) fn open_bytes(&self, place: Place, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let (generation, token) = sealed.split_first_chunk().ok_or_else(|| does_not_open(place))?;
        self.plain(place, i32::from_be_bytes(*generation), &BASE64_URL_SAFE.encode(token))
    }

    /// Under the newest key.
    fn token(&self, place: Place, plain: &[u8]) -> anyhow::Result<(i32, String)> {
        let generations = self.generations(place.key())?;
        let newest = &generations[0];
        let mut content = Vec::with_capacity(1 + place.row.len() + plain.len());
        content.push(u8::try_from(place.row.len()).context("a row id has at most 255 bytes")?);
        content.extend_from_slice(place.row);
        content.extend_from_slice(plain);
        Ok((newest.generation, column_fernet(newest, place).encrypt_at_time(&content, 0)))
    }

    pub(in crate::store) fn open(&self, place: Place, sealed: &Sealed) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let fail = || does_not_open(place);
        let (generation, token) = sealed.0.split_once('.').ok_or_else(fail)?;
        self.plain(place, generation.parse().map_err(|_| fail())?, token)
    }

    fn plain(&self, place: Place, generation: i32, token: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let fail = || does_not_open(place);
        let generations = self.generations(place.key())?;
        let key = generations.iter().find(|key| key.generation == generation).ok_or_else(fail)?;
        let mut content = Zeroizing::new(column_fernet(key, place).decrypt(token).map_err(|_| fail())?);
        let row = content.get(1..1 + usize::from(*content.first().ok_or_else(fail)?)).ok_or_else(fail)?;
        if row != place.row {
            return Err(fail());
        }
        content.drain(..1 + place.row.len());
        Ok(content)
    }

    /// The blind indexes of `value` within `scope`, which names the column: under each generation of the key, newest first.
    pub(in crate::store) fn blinds(&self, scope: &str, value: &str) -> anyhow::Result<Vec<Blind>> {
        let generations = self.generations(KeyName::of(Purpose::Blind))?;
        Ok(generations.iter().map(|key| Blind(keyed_hash(key, scope, value))).collect())
    }

    /// As [`Self::blinds`], of something that a person has called so.
    pub(in crate::store) fn blinds_of(&self, scope: &str, person: &str, value: &str) -> anyhow::Result<Vec<Blind>> {
        let generations = self.generations(KeyName::of(Purpose::Blind))?;
        let blind = |key: &DataKey| {
            let person: String = keyed_hash(key, "person", person).iter().map(|byte| format!("{byte:02x}")).collect();
            Blind(keyed_hash(key, scope, &format!("{person} {value}")))
        };
        Ok(generations.iter().map(blind).collect())
    }

    /// A hash that is handed out as a name or an id: the same for ever.
    pub(in crate::store) fn name_of(&self, scope: &str, value: &str) -> anyhow::Result<[u8; 32]> {
        let generations = self.generations(KeyName::of(Purpose::Names))?;
        Ok(keyed_hash(&generations[0], scope, value))
    }

    /// The hashes of words in a room under its newest key. 32 bits: a hash that two words share leads to messages that do
    /// not have the word, and whoever looks there notices.
    pub(in crate::store) fn words<'a>(
        &self,
        room: RoomId,
        labels: impl Iterator<Item = &'a str>,
    ) -> anyhow::Result<Vec<u32>> {
        let generations = self.generations(KeyName::messages_of(room))?;
        Ok(labels.map(|label| generations[0].word(label)).collect())
    }

    /// The hashes of one word in a room, under each of its keys.
    pub(in crate::store) fn word(&self, room: RoomId, label: &str) -> anyhow::Result<Vec<u32>> {
        let generations = self.generations(KeyName::messages_of(room))?;
        Ok(generations.iter().map(|key| key.word(label)).collect())
    }

    /// The public id of the message at `seq` in `room`: a permutation keyed by a data key, so that no index from ids to
    /// rows is needed and an id tells neither room nor position. It has the form of a version 4 UUID: AES is applied until
    /// it comes out in that form (cycle walking; Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
    pub(in crate::store) fn message_id(&self, room: RoomId, seq: i64) -> anyhow::Result<MessageId> {
        let mut block = GenericArray::from(pack_id(room, seq));
        let cipher = self.id_cipher()?;
        loop {
            cipher.encrypt_block(&mut block);
            if is_uuid_v4(&block) {
                return Ok(MessageId::from(Uuid::from_bytes(block.into())));
            }
        }
    }

    /// The room and position that an id stands for. Any UUID stands for one; whether there is such a message, the tables tell.
    pub(in crate::store) fn message_place(&self, id: Uuid) -> anyhow::Result<Option<(RoomId, i64)>> {
        let mut block = GenericArray::from(id.into_bytes());
        if !is_uuid_v4(&block) {
            return Ok(None);
        }
        let cipher = self.id_cipher()?;
        loop {
            aes::cipher::BlockDecrypt::decrypt_block(&cipher, &mut block);
            if is_uuid_v4(&block) {
                return Ok(Some(unpack_id(block.into())));
            }
        }
    }

    /// A key for `label` that depends on the database and on `secret`.
    pub(in crate::store) fn derive(&self, label: &str, secret: &[u8]) -> anyhow::Result<Zeroizing<[u8; 32]>> {
        let generations = self.generations(KeyName::of(Purpose::Signatures))?;
        let mut mac = hmac(&generations[0].secret[..]);
        mac.update(label.as_bytes());
        mac.update(b"\0");
        mac.update(secret);
        Ok(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    /// One link of a chain: covers `content` and the link before. The oldest key links, until it is retired: then the
    /// newest one has linked all of the chain anew.
    pub(in crate::store) fn link(&self, before: &[u8], seq: i64, content: &[u8]) -> anyhow::Result<Vec<u8>> {
        let generations = self.generations(KeyName::of(Purpose::Moderation))?;
        Ok(link(generations.last().expect("a loaded key has a generation"), before, seq, content))
    }

    /// As [`Self::link`], with the newest key.
    pub(in crate::store) fn link_anew(&self, before: &[u8], seq: i64, content: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(link(&self.generations(KeyName::of(Purpose::Moderation))?[0], before, seq, content))
    }

    fn id_cipher(&self) -> anyhow::Result<Aes128> {
        let generations = self.generations(KeyName::of(Purpose::MessageIds))?;
        Ok(Aes128::new(GenericArray::from_slice(&generations[0].secret[..16])))
    }

    fn generations(&self, name: KeyName) -> anyhow::Result<Generations> {
        let keys = self.keys.read().expect("vault lock");
        keys.get(&name).cloned().with_context(|| format!("the data key {name:?} is not loaded"))
    }
}

/// Whether every stored data key opens under this master key.
pub fn opens_all(master: &MasterKey, stored: &[StoredKey]) -> bool {
    stored.iter().all(|key| open_data_key(master, key).is_ok())
}

fn open_data_key(master: &MasterKey, stored: &StoredKey) -> anyhow::Result<DataKey> {
    let fail = || anyhow!("the data key {:?} does not open under this master key", stored.name);
    let plain = master.open(&stored.sealed).ok_or_else(fail)?;
    let label = key_label(stored.name, stored.generation);
    let secret = plain.strip_prefix(label.as_bytes()).ok_or_else(fail)?;
    let secret = Zeroizing::new(<[u8; 32]>::try_from(secret).map_err(|_| fail())?);
    Ok(DataKey::new(stored.generation, secret))
}

/// What a data key carries inside, so that it cannot be passed off as another one.
fn key_label(name: KeyName, generation: i32) -> String {
    format!("{}|{}|{generation}|", name.purpose.name(), name.room)
}

/// A data key, ready to be stored.
fn seal_key(master: &MasterKey, name: KeyName, generation: i32, secret: &[u8; 32]) -> StoredKey {
    let plain = Zeroizing::new([key_label(name, generation).as_bytes(), secret].concat());
    StoredKey { name, generation, sealed: master.seal(&plain) }
}

/// The same data key, sealed by the newest master key.
pub fn reseal_key(master: &MasterKey, stored: &StoredKey) -> anyhow::Result<StoredKey> {
    let key = open_data_key(master, stored)?;
    Ok(seal_key(master, stored.name, stored.generation, &key.secret))
}

fn keyed_hash(key: &DataKey, scope: &str, value: &str) -> [u8; 32] {
    let mut mac = hmac(&key.secret[..]);
    mac.update(scope.as_bytes());
    mac.update(b"\0");
    mac.update(value.as_bytes());
    mac.finalize().into_bytes().into()
}

fn link(key: &DataKey, before: &[u8], seq: i64, content: &[u8]) -> Vec<u8> {
    let mut mac = hmac(&key.secret[..]);
    mac.update(b"audit|");
    mac.update(&seq.to_be_bytes());
    mac.update(before);
    mac.update(content);
    mac.finalize().into_bytes().to_vec()
}

fn column_fernet(key: &DataKey, place: Place) -> Arc<Fernet> {
    let slot = (place.column, place.room);
    if let Some(fernet) = key.columns.read().expect("vault lock").get(&slot) {
        return fernet.clone();
    }
    let mut mac = hmac(&key.secret[..]);
    mac.update(b"seal|");
    mac.update(place.column.name().as_bytes());
    mac.update(&place.room.map_or(0, RoomId::get).to_be_bytes());
    let derived = Zeroizing::new(BASE64_URL_SAFE.encode(mac.finalize().into_bytes()));
    let fernet = Arc::new(Fernet::new(&derived).expect("32 bytes make a Fernet key"));
    key.columns.write().expect("vault lock").insert(slot, fernet.clone());
    fernet
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn does_not_open(place: Place) -> anyhow::Error {
    anyhow!("a value of {} does not open: damaged or moved", place.column.name())
}

/// 58 bits of room and 64 of position, around the six fixed bits of a version 4 UUID.
fn pack_id(room: RoomId, seq: i64) -> [u8; 16] {
    let bits = (u128::from(room.get() as u64) << 64) | u128::from(seq as u64);
    let high = (bits >> 74) as u64; // 48 bits
    let middle = ((bits >> 62) & 0xFFF) as u64; // 12 bits
    let low = (bits as u64) & 0x3FFF_FFFF_FFFF_FFFF; // 62 bits
    let value = (u128::from(high) << 80) | (0x4 << 76) | (u128::from(middle) << 64) | (0x2 << 62) | u128::from(low);
    value.to_be_bytes()
}

fn unpack_id(block: [u8; 16]) -> (RoomId, i64) {
    let value = u128::from_be_bytes(block);
    let high = value >> 80;
    let middle = (value >> 64) & 0xFFF;
    let low = value & 0x3FFF_FFFF_FFFF_FFFF;
    let bits = (high << 74) | (middle << 62) | low;
    (RoomId::from_stored((bits >> 64) as i64), bits as u64 as i64)
}

fn is_uuid_v4(block: &[u8]) -> bool {
    block[6] >> 4 == 0x4 && block[8] >> 6 == 0b10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        let vault = Vault::new(MasterKey::generate(), KeySource::Environment(Zeroizing::default()));
        let names = Purpose::WITHOUT_ROOM.map(KeyName::of).into_iter();
        let rooms = [RoomId::PUBLIC, RoomId::from_stored(7)].map(KeyName::messages_of);
        for name in names.chain(rooms) {
            let key = vault.new_key(name);
            vault.load(name, vec![key]).unwrap();
        }
        vault
    }

    fn body(room: i64, row: &[u8]) -> Place<'_> {
        Place { column: Column::MessageBody, room: Some(RoomId::from_stored(room)), row }
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_and_nowhere_else() {
        let vault = vault();
        let sealed = vault.seal(body(1, b"42"), b"hello").unwrap();
        assert_eq!(vault.open(body(1, b"42"), &sealed).unwrap().as_slice(), b"hello");
        assert!(vault.open(body(1, b"43"), &sealed).is_err(), "another row");
        assert!(vault.open(body(7, b"42"), &sealed).is_err(), "another room");
        let other = Place { column: Column::RoomProfile, room: None, row: b"42" };
        assert!(vault.open(other, &sealed).is_err(), "another column");
    }

    #[test]
    fn every_flipped_character_is_noticed() {
        let vault = vault();
        let sealed = vault.seal(body(1, b"42"), b"hello").unwrap();
        for position in 0..sealed.0.len() {
            let mut bytes = sealed.0.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let damaged = Sealed(String::from_utf8(bytes).unwrap());
            assert!(vault.open(body(1, b"42"), &damaged).is_err(), "position {position}");
        }
    }

    #[test]
    fn a_token_does_not_show_its_time() {
        let sealed = vault().seal(body(1, b"42"), b"hello").unwrap();
        let token = BASE64_URL_SAFE.decode(sealed.0.split_once('.').unwrap().1).unwrap();
        assert_eq!(&token[1..9], &[0; 8]);
    }

    #[test]
    fn a_data_key_cannot_be_passed_off_as_another() {
        let vault = vault();
        let mut key = vault.new_key(KeyName::of(Purpose::Accounts));
        key.name = KeyName::of(Purpose::Rooms);
        assert!(vault.load(key.name, vec![key]).is_err());
    }

    #[test]
    fn message_ids_are_uuids_that_lead_back() {
        let vault = vault();
        for room in [RoomId::PUBLIC, RoomId::random(), RoomId::from_stored((1 << 58) - 1)] {
            for seq in [1, 2, 77, i64::MAX] {
                let id = vault.message_id(room, seq).unwrap();
                let uuid: Uuid = serde_json::from_value(serde_json::to_value(id).unwrap()).unwrap();
                assert_eq!(uuid.get_version_num(), 4);
                assert_eq!(vault.message_place(uuid).unwrap(), Some((room, seq)));
            }
        }
    }

    #[test]
    fn a_blind_index_depends_on_its_scope() {
        let vault = vault();
        assert_eq!(vault.blinds("users", "ann").unwrap(), vault.blinds("users", "ann").unwrap());
        assert_ne!(vault.blinds("users", "ann").unwrap(), vault.blinds("rooms", "ann").unwrap());
    }
}
