//! HTTP/1.1 over sockets that can be cancelled.
//!
//! A provider describes an [`HttpRequest`]; [`Transport::send`] returns when the head of
//! the response is here; [`Body::read`] gives the body as it arrives. All of it runs on
//! the calling thread and obeys its [`CancelToken`]: four deadlines and a cancellation. ureq
//! writes requests and keeps the pool, and [`agent`] alone knows it; connecting and proxies
//! ([`dial`]), TLS, the socket, and the heads and bodies of responses ([`framing`], [`pipe`])
//! are our own.

mod agent;
mod body;
mod current;
mod dial;
mod framing;
mod gzip;
mod line;
mod pipe;
mod secure;
mod socket;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use agent::Agent;
use dial::{Dialler, Proxies, Reach};

use crate::cancel_token::CancelToken;
use crate::config::{ProxyChoice, RecordingChoice};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Url;
use crate::http::{Headers, HttpRequest};
use crate::recording::{Asked, Recording, Track};
use crate::secret::Secret;
use crate::times::Stage;

pub(crate) use body::Body;
pub(crate) use tls::TlsOptions;

/// How to reach servers: fixed for the life of a [`Transport`].
pub(crate) struct Options {
    pub(crate) proxy: ProxyChoice,
    pub(crate) tls: TlsOptions,
    pub(crate) max_header_bytes: usize,
    pub(crate) recording: RecordingChoice,
    /// Foreign requests may go to addresses that are not public.
    pub(crate) foreign_private: bool,
}

pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Body,
}

/// A pool of connections of one TLS and proxy setting.
pub(crate) struct Transport {
    agent: Agent,
    /// For foreign requests.
    foreign: Agent,
    recording: Recording,
    /// Of the proxies.
    secrets: Vec<Secret>,
}

impl Transport {
    /// # Errors
    /// [`ErrorKind::Argument`] when a proxy or a certificate cannot be read.
    pub(crate) fn new(options: Options) -> Result<Transport> {
        let proxies = Arc::new(Proxies::new(options.proxy)?);
        let secrets = proxies.secrets();
        let tls = tls::configs(&options.tls)?;
        let agent = |tls, reach| {
            let dialler = Dialler { proxies: Arc::clone(&proxies), reach, tls };
            Agent::new(dialler, options.max_header_bytes)
        };
        let foreign = if options.foreign_private { Reach::Any } else { Reach::Public };
        Ok(Transport {
            agent: agent(tls.own, Reach::Any),
            foreign: agent(tls.anonymous, foreign),
            recording: Recording::open(&options.recording)?,
            secrets,
        })
    }

    /// What must not be seen in an error, a log line or a recording.
    pub(crate) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// Keeps `secret` out of what is recorded from now on.
    pub(crate) fn hide(&self, secret: &Secret) {
        if let Recording::Writing(recorder) = &self.recording {
            recorder.hide(secret);
        }
    }

    /// Waits for `delay` before another try. A recording without its pauses is in no hurry
    /// to spare a server.
    pub(crate) fn pause(&self, delay: Duration, token: &CancelToken) -> Result<()> {
        match &self.recording {
            Recording::Playing(player) if !player.has_pauses() => token.left().map(|_| ()),
            _ => token.sleep(delay),
        }
    }

    /// Sends `request` and waits for the head of its response, of whatever status.
    pub(crate) fn send(
        &self,
        request: &HttpRequest,
        token: &Arc<CancelToken>,
    ) -> Result<HttpResponse> {
        Url::parse(&request.url)
            .map_err(|wrong| Error::new(ErrorKind::Argument, format!("the URL {wrong}")))?;
        token.times().asking(!request.is_file);
        let response = self.exchange(request, token)?;
        token.times().reach(Stage::Headers);
        Ok(response)
    }

    fn exchange(&self, request: &HttpRequest, token: &Arc<CancelToken>) -> Result<HttpResponse> {
        match &self.recording {
            Recording::Off => self.ask(request, None, token),
            Recording::Writing(recorder) => {
                let track = recorder.begin(&asked(request))?;
                self.ask(request, Some(track), token)
            }
            Recording::Playing(player) => {
                let (status, headers, playback) = player.play(&asked(request), token)?;
                Ok(HttpResponse { status, headers, body: Body::played(playback, request, token) })
            }
        }
    }

    fn ask(
        &self,
        request: &HttpRequest,
        mut track: Option<Track>,
        token: &Arc<CancelToken>,
    ) -> Result<HttpResponse> {
        let agent = if request.is_foreign { &self.foreign } else { &self.agent };
        let answer = agent.ask(request, token);
        if let Some(track) = &mut track {
            match &answer {
                Ok((status, headers, _)) => track.head(*status, headers)?,
                Err(error) => drop(track.failed(error)),
            }
        }
        let (status, headers, incoming) = answer?;
        let body = Body::received(incoming, request, &headers, track, token);
        Ok(HttpResponse { status, headers, body })
    }
}

fn asked(request: &HttpRequest) -> Asked<'_> {
    Asked {
        method: request.method.name(),
        url: &request.url,
        body: &request.body,
        is_credential: request.is_credential,
    }
}

#[cfg(test)]
mod tests;
