//! [`Client`]: a provider bound to its config; shared between threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::answer::{Answer, Sink};
use crate::attempt::{Attempt, Facts};
use crate::cancel_token::CancelToken;
use crate::chunk::{Batch, Chunk, ChunkKind};
use crate::config::{Config, Roots};
use crate::dialects::{self, Dialect};
use crate::error::{Error, ErrorKind, Result};
use crate::log;
use crate::memory;
use crate::raw::Raw;
use crate::request::Request;
use crate::secret::Secret;
use crate::transport::{Options, TlsOptions, Transport};

/// The longest wait that a provider may ask for; beyond it the error is the better answer.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);

/// What a session does.
pub(crate) enum Call {
    /// Has a request answered.
    Request(Request),
    /// Lists the models there are.
    Models,
    /// Makes a request of the program's own.
    Raw(Raw),
}

/// A provider, its settings, its connections and caches. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    /// Tells its sessions from those of other clients.
    number: usize,
    config: Config,
    transport: Transport,
    dialect: Box<dyn Dialect>,
}

impl Client {
    /// Makes a client of what `config` says now. Touches no network.
    ///
    /// # Errors
    /// [`ErrorKind::Auth`] when the provider needs a key and there is none,
    /// [`ErrorKind::Argument`] when a proxy or certificate setting is wrong.
    pub fn new(config: &Config) -> Result<Client> {
        Client::speaking(config, dialects::connect(config)?)
    }

    /// The same, speaking `dialect`.
    pub(crate) fn speaking(config: &Config, dialect: Box<dyn Dialect>) -> Result<Client> {
        let transport = Transport::new(Options {
            proxy: config.proxy.clone(),
            tls: tls_options(config)?,
            max_header_bytes: config.max_header_bytes,
            recording: config.recording.clone(),
            foreign_private: config.fetch_private_urls,
        })?;
        for secret in config.secrets().iter().chain(transport.secrets()) {
            transport.hide(secret);
        }
        static CLIENTS: AtomicUsize = AtomicUsize::new(0);
        let number = CLIENTS.fetch_add(1, Ordering::Relaxed);
        Ok(Client(Arc::new(Inner { number, config: config.clone(), transport, dialect })))
    }

    /// The config of one request, where it has options of its own.
    pub(crate) fn config_for(&self, request: &Request) -> Result<Option<Config>> {
        let own = self.0.config.for_request(request)?;
        for secret in own.iter().flat_map(Config::secrets) {
            self.0.transport.hide(&secret);
        }
        Ok(own)
    }

    /// The number that this client and its clones have alone.
    pub(crate) fn number(&self) -> usize {
        self.0.number
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Does `call`, and does it again while that can help: before the first chunk, for what can
    /// heal, as often as the config says. The chunks go to `sink`. `config` is the client's, but
    /// for the options of a request. What is returned beside the outcome is to be called once
    /// the outcome is known to whoever waits for it.
    pub(crate) fn run<'a>(
        &'a self,
        call: &Call,
        config: &'a Config,
        token: &'a Arc<CancelToken>,
        sink: &'a dyn Sink,
        facts: &'a Facts,
    ) -> (Result<()>, Attempt<'a>) {
        let mut tries = 0;
        loop {
            let mut attempt = Attempt::new(config, &self.0.transport, token, facts);
            let mut answer = Answer::new(config, token, sink);
            let error = match self.attempt(call, &mut attempt, &mut answer) {
                Ok(()) => return (Ok(()), attempt),
                Err(error) => attempt.told(error),
            };
            let delay = match retry_delay(&error, tries) {
                Some(delay) if !answer.answered() && tries < config.max_retries => delay,
                _ => return (Err(error), attempt),
            };
            tries += 1;
            log::line(
                log::Level::Info,
                "retry",
                // The error itself has the provider's words, which may quote the prompt.
                format_args!("trying again in {} ms: {:?}", delay.as_millis(), error.kind()),
            );
            // A wait that the total deadline would end is none.
            if config.retry_chunks && token.check_lasts(delay).is_ok() {
                if let Err(stop) = announce(&error, delay, tries, sink) {
                    return (Err(stop), attempt);
                }
            }
            match self.0.transport.pause(delay, token) {
                // A total deadline that the wait would pass leaves the error that there was.
                Err(stop) if stop.kind() == ErrorKind::Timeout => return (Err(error), attempt),
                Err(stop) => return (Err(stop), attempt),
                Ok(()) => {}
            }
        }
    }

    /// Does `call` once.
    fn attempt(
        &self,
        call: &Call,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let dialect = &self.0.dialect;
        let outcome = match call {
            Call::Request(request) => {
                // Every provider copies the request to translate it, and writes it as JSON.
                memory::room_for(request.size().saturating_mul(2))?;
                match request.inputs() {
                    None => dialect.run(request, attempt, answer),
                    Some(_) => dialect.embed(request, attempt, answer),
                }
            }
            Call::Raw(raw) => {
                let response = dialect.send_raw(raw, attempt)?;
                attempt.pass_on(response, answer)
            }
            Call::Models => {
                let models = dialect.models(attempt)?;
                models.iter().for_each(|model| answer.model(model));
                Ok(())
            }
        };
        // What came before an error is part of the answer.
        answer.end_texts();
        outcome.and(answer.flush())
    }
}

/// Tells the program that the request is tried again, for the time `tries`.
fn announce(error: &Error, delay: Duration, tries: u32, sink: &dyn Sink) -> Result<()> {
    let mut batch = Batch::default();
    batch.push(&Chunk {
        index: i32::try_from(tries).unwrap_or(i32::MAX).saturating_add(1),
        text: error.message(),
        name: &delay.as_millis().to_string(),
        ..Chunk::new(ChunkKind::Retry)
    })?;
    sink.deliver(&mut batch)
}

/// How long to wait before the next try, if one could help: what the server asks for, else
/// half a second, twice as long each time, and never the same for two clients.
fn retry_delay(error: &Error, tries: u32) -> Option<Duration> {
    let said = error.details().and_then(|details| details.should_retry);
    let heals =
        matches!(error.kind(), ErrorKind::Connect | ErrorKind::RateLimited | ErrorKind::Server);
    if !said.unwrap_or(heals) {
        return None;
    }
    if let Some(after) = error.retry_after() {
        return (after <= MAX_RETRY_AFTER).then_some(after);
    }
    let backoff = 0.5 * f64::from(1_u32 << tries.min(4));
    Some(Duration::from_secs_f64(backoff.min(8.0) * (1.0 - 0.25 * fastrand::f64())))
}

fn tls_options(config: &Config) -> Result<TlsOptions> {
    let own_root = config.provider.extra_root.filter(|_| config.roots != Roots::OnlyCa);
    let mut extra_ca_pem: Vec<Vec<u8>> =
        own_root.into_iter().map(|pem| pem.as_bytes().to_vec()).collect();
    extra_ca_pem.extend(config.ca_pem.as_ref().map(|pem| pem.as_bytes().to_vec()));
    if let Some(path) = &config.ca_file {
        extra_ca_pem.push(file("ca_file", path)?);
    }
    let client_identity = match (&config.client_cert, &config.client_key) {
        (None, None) => None,
        (Some(cert), Some(key)) => {
            Some((pem("client_cert", cert)?, pem("client_key", Secret::expose(key))?))
        }
        _ => {
            return Err(Error::new(
                ErrorKind::Argument,
                "\"client_cert\" and \"client_key\" are set both or neither",
            ));
        }
    };
    Ok(TlsOptions {
        roots: config.roots,
        extra_ca_pem,
        verify: config.tls_verify,
        pins: config.tls_pins.clone(),
        client_identity,
    })
}

/// PEM as it is, or from the file at that path. What is neither may be a key: it is not shown.
fn pem(key: &str, value: &str) -> Result<Vec<u8>> {
    if value.contains("-----BEGIN") {
        return Ok(value.as_bytes().to_vec());
    }
    std::fs::read(value).map_err(|error| {
        Error::new(
            ErrorKind::Argument,
            format!("{key:?} is neither PEM nor the path of a file that can be read: {error}"),
        )
    })
}

fn file(key: &str, path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        Error::new(ErrorKind::Argument, format!("{key:?}: {path:?} cannot be read: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_of_gigachat_is_trusted_by_its_own_clients_alone() {
        let extra = |provider: &str, roots: &str| {
            let mut config = Config::new(provider).unwrap();
            config.set("tls_roots", Some(roots)).unwrap();
            tls_options(&config).unwrap().extra_ca_pem.len()
        };
        assert_eq!(extra("gigachat", "bundled"), 1);
        assert_eq!(extra("gigachat", "platform"), 1);
        assert_eq!(extra("gigachat", "only_ca"), 0);
        assert_eq!(extra("openai", "bundled"), 0);
    }

    #[test]
    fn waits_before_retries_grow_and_obey_the_provider() {
        let server = Error::new(ErrorKind::Server, "busy");
        for (tries, most) in [(0, 500), (1, 1000), (2, 2000), (4, 8000), (40, 8000)] {
            let delay = retry_delay(&server, tries).unwrap().as_millis();
            assert!((most * 3 / 4..=most).contains(&delay), "{tries}: {delay}");
        }
        // Clients that failed together do not come again together.
        let delays = || (0..200).map(|_| retry_delay(&server, 4).unwrap().as_millis());
        assert!(delays().any(|delay| delay < 6700) && delays().any(|delay| delay > 7300));
        for kind in
            [ErrorKind::Timeout, ErrorKind::Dns, ErrorKind::Tls, ErrorKind::Auth, ErrorKind::Quota]
        {
            assert!(retry_delay(&Error::new(kind, ""), 0).is_none(), "{kind:?}");
        }
    }
}
