//! The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for who has lost it.

use qrcode::QrCode;
use qrcode::render::svg;
use schemars::JsonSchema;
use serde::Serialize;
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Secret, Totp};

use super::accounts::{check_own_password, refuse_stale, take_own_try};
use super::facts::{Facts, account_of};
use super::policy::{self, Action};
use super::{audit, sessions};
use crate::app::App;
use crate::error::{Error, Result};
use crate::signer::Signer;
use crate::store::Lane;
use crate::store::accounts::{self, Account, SecondFactor};
use crate::types::{Actor, Password, Reason, Timestamp, random_bytes};

const RECOVERY: &str = "recovery-code";
const RECOVERY_CODES: usize = 10;
/// The issuer that apps show.
const ISSUER: &str = "Secure Chat";

/// What a person needs to set up their app.
#[derive(Serialize, JsonSchema)]
pub struct SetUp {
    /// In base32, to be typed.
    pub secret: String,
    /// `otpauth://…`, which the QR code holds.
    pub uri: String,
    /// An SVG picture.
    pub qr_svg: String,
}

pub(super) fn code_needed() -> Error {
    Error::CodeNeeded("Enter the code of your authenticator app, or a recovery code.".into())
}

/// Begins: a new secret that is not asked for before [`confirm`]. The password is asked for again: a second factor set up
/// at an unwatched screen would lock the owner out.
pub async fn set_up(app: &App, actor: &Actor, password: Password) -> Result<SetUp> {
    let (verified, taken) = check_own_password(app, actor, password).await?.ok_or_else(wrong_password)?;
    taken.give_back();
    let secret = Secret::from(random_bytes::<20>()).to_base32();
    let stored = secret.clone();
    let account = change(app, actor, move |account| {
        refuse_stale(account, &verified)?;
        if account.has_second_factor() {
            return Err(Error::Conflict("There is a second factor already. Remove it first.".into()));
        }
        account.second_factor =
            Some(SecondFactor { secret: stored, confirmed: false, last_step: 0, recovery_codes: Vec::new() });
        Ok(())
    })
    .await?;
    let label = format!("{ISSUER}:{}", account.name.as_str().replace(':', "_"));
    let uri = format!("otpauth://totp/{}?secret={secret}&issuer={}", quote(&label), quote(ISSUER));
    let qr = QrCode::new(&uri).map_err(Error::internal)?;
    let qr_svg = qr.render::<svg::Color>().min_dimensions(200, 200).build();
    Ok(SetUp { secret, uri, qr_svg })
}

/// Ends the setting up: the person shows a code of the app. The recovery codes, which are shown this once.
pub async fn confirm(app: &App, actor: &Actor, code: String) -> Result<Vec<String>> {
    let taken = take_own_try(app, actor)?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
    let hashes = codes.iter().map(|code| hash(&app.signer, code)).collect();
    let (signer, at) = (app.signer.clone(), app.now());
    change(app, actor, move |account| {
        let Some(factor) = account.second_factor.as_mut().filter(|factor| !factor.confirmed) else {
            return Err(Error::Conflict("There is no second factor to confirm.".into()));
        };
        factor.confirmed = true;
        spend(&signer, account, &code, at)?;
        if let Some(factor) = account.second_factor.as_mut() {
            factor.recovery_codes = hashes;
        }
        Ok(())
    })
    .await?;
    taken.give_back();
    Ok(codes)
}

/// Removes the second factor: who does it has both.
pub async fn remove(app: &App, actor: &Actor, password: Password, code: Option<String>) -> Result<()> {
    let (verified, taken) = check_own_password(app, actor, password).await?.ok_or_else(wrong_password)?;
    if verified.has_second_factor() && code.is_none() {
        taken.give_back();
        return Err(code_needed());
    }
    let (signer, at) = (app.signer.clone(), app.now());
    change(app, actor, move |account| {
        refuse_stale(account, &verified)?;
        if account.has_second_factor() {
            spend(&signer, account, code.as_deref().unwrap_or_default(), at)?;
        }
        account.second_factor = None;
        Ok(())
    })
    .await?;
    taken.give_back();
    Ok(())
}

/// Checks a code of the app or a recovery code, and notes that it is used: neither is good twice.
pub(super) fn spend(signer: &Signer, account: &mut Account, code: &str, at: Timestamp) -> Result<()> {
    let wrong = || Error::CodeNeeded("This code is not right, or was used before. Wait for the next one.".into());
    let Some(factor) = account.second_factor.as_mut() else { return Ok(()) };
    let code: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let seconds = u64::try_from(at.micros() / 1_000_000).unwrap_or_default();
    if let Some(step) = totp(&factor.secret)?.check(&code, seconds) {
        if step <= factor.last_step {
            return Err(wrong());
        }
        factor.last_step = step;
        return Ok(());
    }
    let hash = hash(signer, &code.to_lowercase());
    let found = factor.recovery_codes.iter().position(|stored| bool::from(stored.as_bytes().ct_eq(hash.as_bytes())));
    factor.recovery_codes.remove(found.ok_or_else(wrong)?);
    Ok(())
}

/// Changes one's own account within a write, and notes it in the audit log where the second factor came or went.
async fn change(
    app: &App,
    actor: &Actor,
    work: impl FnOnce(&mut Account) -> Result<()> + Send + 'static,
) -> Result<Account> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::ManageOneself, facts.standing(tx, &actor)?)?;
            let mut account = account_of(tx, actor.user)?;
            let before = account.has_second_factor();
            work(&mut account)?;
            accounts::update(tx, actor.user, &account)?;
            if before != account.has_second_factor() {
                let action = if before { "remove_second_factor" } else { "set_up_second_factor" };
                // The others were opened without it, or by who must not go on.
                sessions::end_all(tx, actor.user, actor.session)?;
                audit::note(tx, facts.at, Some(&actor), action, Some(&account.name), None, Reason::default());
            }
            Ok(account)
        })
        .await
}

fn wrong_password() -> Error {
    Error::invalid("password", "The password is wrong.")
}

fn totp(secret: &str) -> Result<Totp> {
    let secret = Secret::try_from_base32(secret).map_err(|error| Error::internal(anyhow::anyhow!("{error}")))?;
    Builder::new().with_secret(secret).build().map_err(|error| Error::internal(anyhow::anyhow!("{error}")))
}

/// 10 characters of 32: 50 bits. None that are taken for each other.
fn recovery_code() -> String {
    const CHARACTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    random_bytes::<10>().iter().map(|byte| char::from(CHARACTERS[usize::from(byte % 32)])).collect()
}

fn hash(signer: &Signer, code: &str) -> String {
    signer.hash(RECOVERY, code).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn quote(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::types::{Role, Username};

    fn account() -> Account {
        let factor = SecondFactor {
            // RFC 6238, appendix B: "12345678901234567890".
            secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into(),
            confirmed: true,
            last_step: 0,
            recovery_codes: vec![hash(&signer(), "abcdefghij")],
        };
        Account {
            name: Username::try_from("ann".to_string()).unwrap(),
            role: Role::Member,
            password_hash: String::new(),
            disabled: false,
            created_at: 0,
            second_factor: Some(factor),
        }
    }

    fn signer() -> Signer {
        Signer::new(Zeroizing::new([7; 32]))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn a_code_is_good_once_and_only_in_its_time() {
        let mut account = account();
        let mut spend = |code: &str, seconds| spend(&signer(), &mut account, code, at(seconds));
        // RFC 6238, appendix B: the last six digits of its vectors.
        assert!(spend("287082", 59 + 600).is_err(), "too late");
        assert!(spend("287 082", 59).is_ok());
        assert!(spend("287082", 59).is_err(), "a second time");
        assert!(spend("081804", 1_111_111_109).is_ok());
        assert!(spend("081804", 1_111_111_109 + 29).is_err(), "the same step, a little later");
        assert!(spend("000000", 1_111_111_109).is_err());
    }

    #[test]
    fn a_recovery_code_is_good_once() {
        let mut account = account();
        let mut spend = |code: &str| spend(&signer(), &mut account, code, at(59));
        assert!(spend("abcdefghik").is_err());
        assert!(spend("ABCDE-fghij").is_ok());
        assert!(spend("abcdefghij").is_err());
    }
}
