//! AiChats: a web chat that took one folded prompt and answered in `data:` lines of plain
//! text, and made images. The service is gone; its protocol is kept.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::capabilities::Capabilities;
use crate::config::Config;
use crate::dialects::Dialect;
use crate::dialects::shared::web;
use crate::error::Result;
use crate::fault;
use crate::http::{Headers, HttpRequest};
use crate::model::Model;
use crate::prompt;
use crate::request::Request;

/// The model that makes images; any other chats.
const IMAGES: &str = "dalle";

const HEADERS: &[(&str, &str)] = &[
    ("accept", "application/json, text/event-stream"),
    ("accept-language", "en-US,en;q=0.9"),
    ("cache-control", "no-cache"),
    ("content-type", "application/json"),
    ("origin", "https://ai-chats.org"),
    ("pragma", "no-cache"),
    ("referer", "https://ai-chats.org/chat/"),
    ("sec-ch-ua", "\"Chromium\";v=\"127\", \"Not)A;Brand\";v=\"99\""),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", "\"Linux\""),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "same-origin"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36",
    ),
];

pub(crate) struct AiChats {
    config: Config,
    url: String,
    headers: Headers,
}

impl AiChats {
    pub(crate) fn new(config: &Config) -> Result<AiChats> {
        Ok(AiChats {
            config: config.clone(),
            url: config.url("/chat/send2/"),
            headers: web::headers(HEADERS, config)?,
        })
    }

    fn request(&self, kind: &str, content: &str, headers: Headers) -> Result<HttpRequest> {
        let body = json!({"type": kind, "messagesHistory": [{"from": "you", "content": content}]});
        HttpRequest::post_json(&self.url, headers, &body)
    }

    fn chat(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let prompt = prompt::fold(request.messages());
        let response = attempt.send(self.request("chat", &prompt, self.headers.clone())?)?;
        let mut events = attempt.line_events(response)?;
        answer.comes_from(attempt.host());
        let mut said = Trimmed::default();
        let mut other = String::new();
        while attempt.next(&mut events, answer)? {
            let line = String::from_utf8_lossy(events.event().data);
            match line.strip_prefix("data: ") {
                Some("[DONE]") => break,
                Some(text) => said.take(text, answer),
                // It is wanted for an error alone; keep-alives come without end.
                None if other.len() < self.config.max_error_bytes => other.push_str(&line),
                None => {}
            }
        }
        if !said.began {
            let other_said = serde_json::from_slice::<Value>(other.as_bytes()).ok();
            return Err(other_said.and_then(|said| answer.error_in(&said)).unwrap_or_else(|| {
                attempt.protocol_error(&format!(
                    "answered without a line of data: {}",
                    fault::excerpt(&other)
                ))
            }));
        }
        attempt.end(events);
        answer.finish()
    }

    fn image(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let last = request.messages().last().and_then(|message| message.get("content"));
        let prompt = last.map(prompt::text_of).unwrap_or_default();
        let mut headers = self.headers.clone();
        headers.set("referer", "https://ai-chats.org/image/")?;
        let response = attempt.send(self.request("image", &prompt, headers)?)?;
        let document = attempt.aside(response)?;
        let Some(url) = document.pointer("/data/0/url").and_then(Value::as_str) else {
            return Err(attempt.protocol_error("answered without the URL of an image"));
        };
        // The image lies on somebody's host: cookies and the rest stay here.
        let bytes = attempt.fetch(url)?;
        answer.start("", IMAGES);
        answer.image(0, &bytes, "");
        answer.finish()
    }
}

impl Dialect for AiChats {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let model = self.config.model_for(request);
        answer.asked(request, model);
        match model {
            IMAGES => self.image(request, attempt, answer),
            _ => self.chat(request, attempt, answer),
        }
    }

    fn models(&self, _: &mut Attempt<'_>) -> Result<Vec<Model>> {
        Ok(vec![
            Model::named("gpt-4"),
            Model { capabilities: Capabilities::IMAGES, ..Model::named(IMAGES) },
        ])
    }
}

/// How much white space may turn out to be the end's.
const LONGEST_SPACE: usize = 4096;

/// Text without the white space around all of it.
#[derive(Default)]
struct Trimmed {
    began: bool,
    /// White space that is the end's, unless more comes.
    held: String,
}

impl Trimmed {
    fn take(&mut self, text: &str, answer: &mut Answer<'_>) {
        self.held.push_str(text);
        let text = if self.began { &*self.held } else { self.held.trim_start() };
        // White space without end is no end's.
        let end = if text.len() > LONGEST_SPACE { text.len() } else { text.trim_end().len() };
        let now = text.get(..end).unwrap_or_default();
        if !self.began && !now.is_empty() {
            self.began = true;
            answer.start("", "");
        }
        answer.text(0, now);
        let given = self.held.len() - text.len() + end;
        self.held.drain(..given);
    }
}
