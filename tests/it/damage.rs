//! Damaged files: a clear line, and never an empty start.

use std::path::Path;

use crate::accounts::own;
use crate::server::{Server, fingerprints, run};

/// Numbers that look random and are the same each time (Marsaglia, "Xorshift RNGs", 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Flips a bit, or cuts something off.
fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match random.below(4) {
        0 => bytes.truncate(random.below(bytes.len())),
        _ => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
    }
    bytes
}

#[tokio::test]
async fn a_damaged_database_or_key_gets_a_clear_line_and_is_never_replaced() {
    let times = 1_000;
    let server = Server::start();
    if !server.is_on_sqlite() {
        return;
    }
    own(&server).await;
    let (_, folder) = server.stop();
    let whole = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let (database, key) = (whole("chat_app.db"), whole("master.key"));
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let (mut refused, mut started) = (0, 0);
    for time in 0..times {
        // The key is small: a damage always hits it.
        let (database, key) = match time % 4 {
            0 => (database.clone(), damaged(&key, &mut random)),
            _ => (damaged(&database, &mut random), key.clone()),
        };
        let place = tempfile::tempdir().unwrap();
        write_private(&place.path().join("chat_app.db"), &database);
        write_private(&place.path().join("master.key"), &key);
        let before = fingerprints(place.path());
        let ended = run(place.path(), &["user", "list"], &[]);
        assert!(!ended.stderr.contains("panicked"), "{time}: {}", ended.stderr);
        match ended.code {
            // What was hit was not needed for it, and all is there.
            0 => {
                assert_eq!(ended.stdout, "owner      owner\n", "{time}");
                started += 1;
            }
            1 | 3 => {
                let lines: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("secure-chat: ")).collect();
                assert_eq!(lines.len(), 1, "{time}: {}", ended.stderr);
                if ended.code == 3 {
                    assert_eq!(fingerprints(place.path()), before, "{time}: {}", ended.stderr);
                }
                refused += 1;
            }
            code => panic!("{time}: exit code {code}: {}", ended.stderr),
        }
    }
    assert!(refused > times / 4 && started > 0, "{refused} of {times}");
}

fn write_private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;

    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
