//! The dialects: how each kind of API is asked and read. A file each; none uses another.
//!
//! A dialect is straight-line blocking code between two things: [`Attempt`], which does
//! HTTP, and [`Answer`], which takes what an event says. It never sees a thread, a queue or
//! a C type.

mod anthropic;
mod gemini;
mod gigachat;
mod openai;
mod openai_chat;
mod openai_responses;
mod shared;
mod web;

use crate::answer::Answer;
use crate::attempt::{Attempt, Response};
use crate::catalog;
use crate::config::Config;
use crate::error::Result;
use crate::model::Model;
use crate::request::Request;
use crate::wire::Event;

/// How to talk to a provider, for one client: its URLs, credentials and caches.
pub(crate) trait Dialect: Send + Sync {
    /// Asks `request`, and gives the answer to `answer` piece by piece. `Ok` only at its true
    /// end.
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()>;

    /// Asks for the models there are.
    fn models(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Model>>;
}

/// Makes the dialect of the config's provider ready for one client.
pub(crate) fn connect(config: &Config) -> Result<Box<dyn Dialect>> {
    use catalog::Dialect as D;
    Ok(match config.provider.dialect {
        D::OpenAiChat => {
            let chat = Box::new(openai_chat::OpenAiChat::new(config)?);
            let responses = Box::new(openai_responses::OpenAiResponses::new(config)?);
            let responses = (catalog::Dialect::OpenAiResponses.name(), responses as _);
            Box::new(openai::OpenAi::new(config, chat, responses))
        }
        D::OpenAiResponses => Box::new(openai_responses::OpenAiResponses::new(config)?),
        D::Anthropic => Box::new(anthropic::Anthropic::new(config)?),
        D::GigaChat => Box::new(gigachat::GigaChat::new(config)?),
        D::Ai365Vip => Box::new(web::ai365vip::Ai365Vip::new(config)?),
        D::AmigoChat => Box::new(web::amigochat::AmigoChat::new(config)?),
        D::AiChats => Box::new(web::aichats::AiChats::new(config)?),
        D::Gemini => Box::new(gemini::Gemini::new(config)?),
    })
}

/// Reads the events of one response: the state of an answer in the words of its dialect.
pub(crate) trait Reader {
    /// Takes one event.
    fn read(&mut self, event: Event<'_>, answer: &mut Answer<'_>) -> Result<Flow>;

    /// No more events come: after [`Flow::Done`], or at the end of the body.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`](crate::ErrorKind::Truncated) where the answer is not at its end.
    fn end(&mut self, answer: &mut Answer<'_>) -> Result<()>;
}

/// Whether more events belong to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    More,
    Done,
}

/// Has `reader` read `response` to its end.
pub(crate) fn read(
    response: Response,
    reader: &mut dyn Reader,
    attempt: &mut Attempt<'_>,
    answer: &mut Answer<'_>,
) -> Result<()> {
    answer.comes_from(attempt.host());
    let mut events = attempt.events(response);
    while attempt.next(&mut events, answer)? {
        if reader.read(events.event(), answer)? == Flow::Done {
            break;
        }
    }
    reader.end(answer)?;
    attempt.end(events);
    Ok(())
}
