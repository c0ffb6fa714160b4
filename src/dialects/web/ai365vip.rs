//! AI365VIP: a web chat that took one folded prompt and answered in plain text. The service
//! is gone; its protocol is kept.

use serde_json::json;

use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::config::Config;
use crate::dialects::Dialect;
use crate::dialects::shared::web;
use crate::error::Result;
use crate::fault;
use crate::http::{Headers, HttpRequest};
use crate::model::Model;
use crate::prompt;
use crate::request::Request;

const MODELS: &[&str] = &["gpt-3.5-turbo", "gpt-3.5-turbo-16k", "gpt-4o"];

const HEADERS: &[(&str, &str)] = &[
    ("accept", "*/*"),
    ("accept-language", "en-US,en;q=0.9"),
    ("content-type", "application/json"),
    ("origin", "https://chat.ai365vip.com"),
    ("referer", "https://chat.ai365vip.com/en"),
    ("sec-ch-ua", "\"Chromium\";v=\"127\", \"Not)A;Brand\";v=\"99\""),
    ("sec-ch-ua-arch", "\"x86\""),
    ("sec-ch-ua-bitness", "\"64\""),
    ("sec-ch-ua-full-version", "\"127.0.6533.119\""),
    (
        "sec-ch-ua-full-version-list",
        "\"Chromium\";v=\"127.0.6533.119\", \"Not)A;Brand\";v=\"99.0.0.0\"",
    ),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-model", "\"\""),
    ("sec-ch-ua-platform", "\"Linux\""),
    ("sec-ch-ua-platform-version", "\"4.19.276\""),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "same-origin"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36",
    ),
];

pub(crate) struct Ai365Vip {
    config: Config,
    chat_url: String,
    headers: Headers,
}

impl Ai365Vip {
    pub(crate) fn new(config: &Config) -> Result<Ai365Vip> {
        Ok(Ai365Vip {
            config: config.clone(),
            chat_url: config.url("/api/chat"),
            headers: web::headers(HEADERS, config)?,
        })
    }
}

impl Dialect for Ai365Vip {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let model = self.config.model_for(request);
        answer.asked(request, model);
        // The model's name and the numbers are the same whatever the model.
        let body = json!({
            "model": {"id": model, "name": "GPT-3.5", "maxLength": 3000, "tokenLimit": 2048},
            "messages": [{"role": "user", "content": prompt::fold(request.messages())}],
            "key": "",
            "prompt": "You are a helpful assistant.",
            "temperature": 1,
        });
        let request = HttpRequest::post_json(&self.chat_url, self.headers.clone(), &body)?;
        let response = attempt.send(request)?;
        let mut events = attempt.text_events(response)?;
        answer.start("", model);
        // What may yet turn out to be a challenge page that calls itself something else.
        let mut start = Some(String::new());
        let mut said = false;
        while attempt.next(&mut events, answer)? {
            said = true;
            let text = String::from_utf8_lossy(events.event().data);
            let Some(held) = &mut start else {
                answer.text(0, &text);
                continue;
            };
            held.push_str(&text);
            match fault::begins_page(held) {
                Some(true) => {
                    let start = std::mem::take(held);
                    return Err(attempt.page_for_text(&mut events, &start));
                }
                Some(false) => answer.text(0, &start.take().unwrap_or_default()),
                None => {}
            }
        }
        if !said {
            return Err(attempt.protocol_error("answered with nothing"));
        }
        answer.text(0, &start.unwrap_or_default());
        attempt.end(events);
        answer.finish()
    }

    fn models(&self, _: &mut Attempt<'_>) -> Result<Vec<Model>> {
        Ok(MODELS.iter().map(|id| Model::named(id)).collect())
    }
}
