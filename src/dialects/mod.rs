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
#[cfg(test)]
mod tests;
mod web;

use crate::answer::Answer;
use crate::attempt::{Attempt, Response};
use crate::catalog;
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::json::mould::{LONGEST_LEARNED, Moulds, Numbers, Places, Said};
use crate::model::Model;
use crate::raw::Raw;
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

    /// Asks for the embeddings of what `request` has as inputs, and gives them to `answer`.
    fn embed(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let _ = (request, answer);
        Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} is not asked for embeddings by this library; \"openai\" is, and every server \
                 that speaks its protocol",
                attempt.config().provider.label
            ),
        ))
    }

    /// Sends a request that the program made itself, with the provider's credentials.
    fn send_raw(&self, raw: &Raw, attempt: &mut Attempt<'_>) -> Result<Response> {
        let _ = raw;
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} has no API for raw calls", attempt.config().provider.label),
        ))
    }

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

    /// Takes what one event said, or one that differs from it in nothing but its text, its
    /// numbers, and what has no effect. [`Reader::read`] takes such an event by this too.
    fn piece(&mut self, piece: &Piece, said: &Said<'_>, answer: &mut Answer<'_>) -> Result<()> {
        let _ = (piece, said, answer);
        Ok(())
    }

    /// No more events come: after [`Flow::Done`], or at the end of the body.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`](crate::ErrorKind::Truncated) where the answer is not at its end.
    fn end(&mut self, answer: &mut Answer<'_>) -> Result<()>;
}

/// Whether more events belong to the answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    More,
    /// The event was one piece of the answer, and had no other effect: [`Reader::piece`] took
    /// it.
    Piece(Box<Lesson>),
    Done,
}

/// What an event means that is one piece of the answer. It says so whatever the state of the
/// answer is, and whatever its text and its numbers are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: PieceKind,
    /// Of the answer, and of its tool call.
    pub(crate) choice: i32,
    pub(crate) index: Option<i64>,
    /// Of the item that it belongs to.
    pub(crate) id: String,
    /// Where the text and the numbers stand.
    pub(crate) places: Places,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceKind {
    Text,
    /// And the field that it came in.
    Reasoning(&'static str),
    Refusal,
    Arguments,
}

impl Piece {
    /// A piece that says no more than its kind, to be filled in with struct update syntax.
    fn new(kind: PieceKind, text: &'static str) -> Piece {
        let places = Places { text, ..Places::default() };
        Piece { kind, choice: 0, index: None, id: String::new(), places }
    }

    /// Its free values and numbers stand there.
    fn at(self, places: Places) -> Piece {
        Piece { places: Places { text: self.places.text, ..places }, ..self }
    }

    /// Has `reader` take it.
    fn take(
        self,
        said: &Said<'_>,
        reader: &mut dyn Reader,
        answer: &mut Answer<'_>,
    ) -> Result<Flow> {
        reader.piece(&self, said, answer)?;
        if said.text.len() > LONGEST_LEARNED {
            return Ok(Flow::More);
        }
        let (text, numbers) = (said.text.to_owned(), *said.numbers);
        Ok(Flow::Piece(Box::new(Lesson { piece: self, text, numbers })))
    }
}

/// What is to be learned of an event: what it means, and what it said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lesson {
    piece: Piece,
    text: String,
    numbers: Numbers,
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
    let mut moulds = Moulds::new();
    let is_shown = attempt.shows_events();
    loop {
        let ahead = if is_shown { b"" } else { events.ahead() };
        if let Some((length, piece, said)) = moulds.fit(ahead).filter(|_| attempt.uses_moulds()) {
            reader.piece(piece, &said, answer)?;
            events.skip(length);
            continue;
        }
        if !attempt.find(&mut events, answer)? {
            break;
        }
        let event = events.event();
        let whole = events.whole();
        let known = whole.as_ref().and_then(|(bytes, _)| moulds.fit(bytes));
        let known = known.filter(|_| attempt.uses_moulds());
        if known.is_none() {
            // What is like an event that was checked is as deep, and has as many values.
            attempt.check(event)?;
        }
        attempt.show(event, answer)?;
        if let Some((_, piece, said)) = known {
            reader.piece(piece, &said, answer)?;
            continue;
        }
        match reader.read(event, answer)? {
            Flow::More => {}
            Flow::Piece(lesson) => {
                let Lesson { piece, text, numbers } = *lesson;
                let (places, said) = (piece.places, Said { text: &text, numbers: &numbers });
                if let Some((bytes, data)) = whole {
                    moulds.learn(bytes, data, &places, &said, piece);
                }
            }
            Flow::Done => break,
        }
    }
    reader.end(answer)?;
    attempt.end(events);
    Ok(())
}
