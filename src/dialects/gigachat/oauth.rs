//! Tokens: fetched, shared by the clients of one account, renewed before their end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use uuid::Uuid;

use crate::attempt::Attempt;
use crate::config::{Config, Trust};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Headers, HttpRequest};
use crate::process::PerProcess;
use crate::secret::Secret;

const AUTH_URL: &str = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth";

/// A token is renewed this long before its end.
const EARLY: Duration = Duration::from_secs(60);

/// How a request proves whose it is.
pub(super) enum Access {
    /// A token of the program's own.
    Given(Secret),
    /// Tokens that are fetched and renewed.
    Fetched { account: Account, tokens: Arc<Tokens> },
}

/// What a token is fetched with.
#[derive(Clone)]
pub(super) struct Account {
    url: String,
    /// The whole `Authorization`.
    authorization: Secret,
    /// `None` for the way by user and password, which knows no scope.
    scope: Option<String>,
    /// A token that came over a connection that one client would not trust is not for it.
    trust: Box<Trust>,
}

impl Access {
    pub(super) fn new(config: &Config) -> Result<Access> {
        if let Some(token) = config.option("access_token") {
            return Ok(Access::Given(Secret::new(token)));
        }
        let account = match (config.option("user"), config.option("password")) {
            (Some(user), Some(password)) => Account {
                url: config.url("/token"),
                authorization: Secret::new(&format!(
                    "Basic {}",
                    BASE64.encode(format!("{user}:{password}"))
                )),
                scope: None,
                trust: Box::new(config.trust()),
            },
            _ => {
                let scheme =
                    if config.option("auth_scheme") == Some("bearer") { "Bearer" } else { "Basic" };
                Account {
                    url: config.option("auth_url").unwrap_or(AUTH_URL).to_owned(),
                    authorization: Secret::new(&format!(
                        "{scheme} {}",
                        config.credentials()?.expose()
                    )),
                    scope: Some(config.option("scope").unwrap_or("GIGACHAT_API_PERS").to_owned()),
                    trust: Box::new(config.trust()),
                }
            }
        };
        let tokens = match config.recording.is_used() {
            // Its tokens are those of the recording, which is to be whole by itself.
            true => Arc::new(Tokens::default()),
            false => Tokens::of(&account),
        };
        Ok(Access::Fetched { account, tokens })
    }

    /// A token other than the `refused` one, and whether it was fetched just now.
    pub(super) fn token(
        &self,
        refused: Option<&Secret>,
        attempt: &mut Attempt<'_>,
    ) -> Result<(Secret, bool)> {
        match self {
            Access::Given(token) => Ok((token.clone(), true)),
            Access::Fetched { account, tokens } => tokens.get(account, refused, attempt),
        }
    }
}

/// The tokens of one account, shared by all clients that have it. One of them fetches,
/// the others wait for that.
#[derive(Default)]
pub(super) struct Tokens {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<(Secret, SystemTime)>,
    /// Closed when the token that is being fetched is there, or is not to come.
    fetching: Option<Receiver<()>>,
}

/// The accounts of all clients of this process that live.
static ACCOUNTS: PerProcess<Mutex<Accounts>> = PerProcess::new();

type Accounts = Vec<(Account, Weak<Tokens>)>;

impl Tokens {
    fn of(account: &Account) -> Arc<Tokens> {
        let mut accounts = ACCOUNTS.get().lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|(_, tokens)| tokens.strong_count() > 0);
        let known = accounts.iter().find(|(known, _)| {
            known.url == account.url
                && known.scope == account.scope
                && known.authorization.expose() == account.authorization.expose()
                && known.trust == account.trust
        });
        if let Some(tokens) = known.and_then(|(_, tokens)| tokens.upgrade()) {
            return tokens;
        }
        let tokens = Arc::new(Tokens { state: Mutex::default() });
        accounts.push((account.clone(), Arc::downgrade(&tokens)));
        tokens
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(
        &self,
        account: &Account,
        refused: Option<&Secret>,
        attempt: &mut Attempt<'_>,
    ) -> Result<(Secret, bool)> {
        loop {
            let mut state = self.lock();
            let usable = |token: &Secret, end: &SystemTime| {
                lasts(*end, SystemTime::now())
                    && refused.is_none_or(|refused| refused.expose() != token.expose())
            };
            if let Some((token, _)) = state.token.as_ref().filter(|(token, end)| usable(token, end))
            {
                return Ok((token.clone(), false));
            }
            let under_way =
                |fetching: &Receiver<()>| fetching.try_recv() != Err(TryRecvError::Disconnected);
            if let Some(fetching) = state.fetching.clone().filter(under_way) {
                drop(state);
                attempt.wait_for(&fetching)?;
                continue;
            }
            let (done, fetching) = bounded(0);
            state.fetching = Some(fetching);
            drop(state);
            let fetched = fetch(account, attempt);
            let mut state = self.lock();
            state.fetching = None;
            drop(done);
            let (token, end) = fetched?;
            state.token = Some((token.clone(), end));
            return Ok((token, true));
        }
    }
}

/// Whether a token that ends then can be used now.
fn lasts(end: SystemTime, now: SystemTime) -> bool {
    end > now + EARLY
}

/// Asks for a token: it, and when it ends.
fn fetch(account: &Account, attempt: &mut Attempt<'_>) -> Result<(Secret, SystemTime)> {
    attempt.hide(&account.authorization);
    if let Some((_, key)) = account.authorization.expose().split_once(' ') {
        attempt.hide(&Secret::new(key));
    }
    let mut headers = Headers::default();
    headers.set("Authorization", account.authorization.expose())?;
    headers.set("RqUID", &Uuid::new_v4().to_string())?;
    headers.set("Content-Type", "application/x-www-form-urlencoded")?;
    headers.set("Accept", "application/json")?;
    let body = match &account.scope {
        Some(scope) => {
            format!("scope={}", utf8_percent_encode(scope, NON_ALPHANUMERIC)).replace("%5F", "_")
        }
        None => String::new(),
    };
    let request = HttpRequest::post(&account.url, headers, body.into_bytes());
    let response = attempt.send(HttpRequest { is_credential: true, ..request })?;
    let answer = attempt.aside(response)?;
    let token = answer.get("access_token").or_else(|| answer.get("tok")).and_then(Value::as_str);
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Err(Error::new(
            ErrorKind::Auth,
            "GigaChat's token response contains no access_token",
        ));
    };
    let end =
        answer.get("expires_at").or_else(|| answer.get("exp")).and_then(Value::as_u64).unwrap_or(0);
    // Seconds in the documents, milliseconds in truth.
    let end =
        if end < 100_000_000_000 { Duration::from_secs(end) } else { Duration::from_millis(end) };
    let end = SystemTime::UNIX_EPOCH.checked_add(end).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok((Secret::new(token), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_other_trust_have_tokens_of_their_own() {
        let tokens = |settings: &[(&str, &str)]| {
            let mut config = Config::new("gigachat").unwrap();
            for (key, value) in [("api_key", "of-the-test-of-trust")].iter().chain(settings) {
                config.set(key, Some(value)).unwrap();
            }
            match Access::new(&config).unwrap() {
                Access::Fetched { tokens, .. } => tokens,
                Access::Given(_) => panic!("there is no token yet"),
            }
        };
        let same = tokens(&[]);
        assert!(Arc::ptr_eq(&same, &tokens(&[("model", "GigaChat-2-Pro"), ("max_retries", "0")])));
        for setting in [
            ("base_url", "http://api.giga.chat/v1"),
            ("auth_url", "http://ngw.devices.sberbank.ru:9443/api/v2/oauth"),
            ("api_key", "other"),
            ("auth_scheme", "bearer"),
            ("scope", "GIGACHAT_API_CORP"),
            ("headers", "{\"X-Gateway\":\"a\"}"),
            ("proxy", "http://proxy.example:3128"),
            ("ca_file", "ca.pem"),
            ("ca_pem", "-----BEGIN"),
            ("tls_roots", "platform"),
            ("tls_verify", "false"),
            ("tls_pins", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
            ("client_cert", "cert.pem"),
            ("client_key", "key.pem"),
            ("record_file", "recording.jsonl"),
            ("replay_file", "recording.jsonl"),
        ] {
            let other = tokens(&[setting]);
            assert!(!Arc::ptr_eq(&same, &other), "{}", setting.0);
            if !setting.0.ends_with("_file") || setting.0 == "ca_file" {
                assert!(Arc::ptr_eq(&other, &tokens(&[setting])), "{}", setting.0);
            }
        }
    }

    #[test]
    fn token_is_renewed_at_59_seconds_before_its_end_and_not_at_61() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert!(!lasts(now + Duration::from_secs(59), now));
        assert!(!lasts(now + Duration::from_secs(60), now));
        assert!(lasts(now + Duration::from_secs(61), now));
    }
}
