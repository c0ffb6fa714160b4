//! OpenAI's two APIs: which of them answers a request. It stands above both of their dialects.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::Dialect;
use super::shared::families::{self, House};
use crate::answer::Answer;
use crate::attempt::{Attempt, Response, heal};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Model;
use crate::raw::Raw;
use crate::request::Request;

/// A dialect, and the name under which messages keep what goes back in it.
pub(super) type Named = (&'static str, Box<dyn Dialect>);

/// How many models are remembered.
const MOST: usize = 1024;

pub(super) struct OpenAi {
    config: Config,
    chat: Box<dyn Dialect>,
    responses: Option<Named>,
    house: House,
    /// Models that the chat call refused in favour of the other one.
    refused: Mutex<HashSet<String>>,
}

impl OpenAi {
    /// Asks `chat`, or `responses` where the config's `api` lets it be chosen.
    pub(super) fn new(config: &Config, chat: Box<dyn Dialect>, responses: Named) -> OpenAi {
        // An endpoint is the whole URL of the one call.
        let is_chat = config.option("api") == Some("chat") || config.option("endpoint").is_some();
        let responses = Some(responses).filter(|_| !is_chat);
        OpenAi {
            config: config.clone(),
            chat,
            responses,
            house: House::of(&config.base_url),
            refused: Mutex::default(),
        }
    }

    /// Whether `request` goes to the Responses API without a try.
    fn needs_responses(&self, model: &str, request: &Request) -> bool {
        let is_known = self.house.has_openais_models() && families::needs_responses(model, request);
        let was_refused =
            || self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(model);
        self.config.heal && (is_known || was_refused())
    }

    /// Whether a request that chat refused may go to the Responses API.
    fn may_turn(&self, attempt: &Attempt<'_>) -> bool {
        self.config.heal && attempt.may_heal()
    }

    fn remember(&self, model: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < MOST {
            refused.insert(model.to_owned());
        }
    }
}

impl Dialect for OpenAi {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let Some((name, responses)) = &self.responses else {
            return self.chat.run(request, attempt, answer);
        };
        let model = self.config.model_for(request);
        let mut refused = None;
        if self.config.option("api") != Some("responses") {
            if !self.needs_responses(model, request) {
                attempt.offer_responses();
                match self.chat.run(request, attempt, answer) {
                    Err(error) if self.may_turn(attempt) && heal::points_to_responses(&error) => {
                        attempt.healed();
                        refused = Some(error);
                    }
                    outcome => return outcome,
                }
            }
            attempt.changed("api", "responses, because chat does not take this request");
        }
        answer.speaks(name);
        let outcome = responses.run(request, attempt, answer);
        match (refused, &outcome) {
            // Gateways pass on what OpenAI says, and may not have its other API.
            (Some(refusal), Err(error)) if cannot_be_asked(error) => Err(refusal),
            (Some(_), _) => {
                self.remember(model);
                outcome
            }
            (None, _) => outcome,
        }
    }

    fn embed(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        self.chat.embed(request, attempt, answer)
    }

    fn send_raw(&self, raw: &Raw, attempt: &mut Attempt<'_>) -> Result<Response> {
        self.chat.send_raw(raw, attempt)
    }

    fn models(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Model>> {
        self.chat.models(attempt)
    }
}

/// Whether the Responses API is not there, or lacks a field of the request.
fn cannot_be_asked(error: &Error) -> bool {
    error.kind() == ErrorKind::Unsupported || matches!(error.http_status(), Some(404 | 405 | 501))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::attempt::heal::Healer;
    use crate::client::Client;
    use crate::error::Details;
    use crate::http::Headers;
    use crate::session::{Polled, Session};

    /// A dialect that notes its name, and answers with it or fails.
    struct Fake {
        name: &'static str,
        asked: Arc<Mutex<Vec<&'static str>>>,
        refusal: Option<(u16, &'static str)>,
    }

    impl Dialect for Fake {
        fn run(&self, _: &Request, _: &mut Attempt<'_>, answer: &mut Answer<'_>) -> Result<()> {
            self.asked.lock().unwrap().push(self.name);
            if let Some((http_status, body)) = self.refusal {
                let details = Details { http_status, body: body.to_owned(), ..Details::default() };
                return Err(Error::new(ErrorKind::BadRequest, "no").with_details(details));
            }
            answer.start("", "");
            answer.text(0, self.name);
            answer.keep(0, &json!({"type": "item"}));
            answer.finish()
        }

        fn models(&self, _: &mut Attempt<'_>) -> Result<Vec<Model>> {
            Ok(vec![Model::named(self.name)])
        }
    }

    const FUNCTIONS: &str =
        r#"{"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}"#;

    const TURNED_AWAY: (u16, &str) = (
        400,
        r#"{"error":{"message":"Function tools with reasoning_effort are not supported for m in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.","param":"reasoning_effort"}}"#,
    );

    /// Who was asked by two requests to `model`, and the last reply.
    fn asked(
        settings: &[(&str, &str)],
        model: &str,
        refusal: Option<(u16, &'static str)>,
    ) -> (Vec<&'static str>, String) {
        let (asked, reply, _) = outcome(settings, model, [refusal, None]);
        (asked, reply)
    }

    /// The same, and the status of the last error; both APIs may refuse.
    fn outcome(
        settings: &[(&str, &str)],
        model: &str,
        [chat, responses]: [Option<(u16, &'static str)>; 2],
    ) -> (Vec<&'static str>, String, Option<u16>) {
        let mut config = Config::new("openai").unwrap();
        for (key, value) in [&[("api_key", "k"), ("proxy", "direct")], settings].concat() {
            config.set(key, Some(value)).unwrap();
        }
        let asked = Arc::new(Mutex::default());
        let fake = |name, refusal| Box::new(Fake { name, asked: Arc::clone(&asked), refusal });
        let responses: Named = ("openai-responses", fake("responses", responses));
        let router = OpenAi::new(&config, fake("chat", chat), responses);
        let client = Client::speaking(&config, Box::new(router)).unwrap();
        assert_eq!(client.models(None).unwrap()[0].id, "chat");
        let mut request = Request::from_json(FUNCTIONS).unwrap();
        request.set("model", &json!(model).to_string()).unwrap();
        let (mut reply, mut status) = (String::new(), None);
        for _ in 0..2 {
            let mut session = Session::open(&client, &request).unwrap();
            while let Ok(Polled::Chunk(_)) = session.poll(None) {}
            status = session.poll(None).err().and_then(|error| error.http_status());
            reply = session.replies().to_json().unwrap();
        }
        let asked = asked.lock().unwrap().clone();
        (asked, reply, status)
    }

    #[test]
    fn refusal_of_chat_stands_where_there_is_no_other_api() {
        let gateway = ("base_url", "http://localhost:1/v1");
        let missing = (404, "{\"error\":{\"message\":\"no such path\"}}");
        let both = [Some(TURNED_AWAY), Some(missing)];
        let (asked, _, status) = outcome(&[gateway], "m", both);
        assert_eq!(asked, ["chat", "responses", "chat", "responses"]);
        assert_eq!(status, Some(400));
        // Any other failure is no reason to ask chat again.
        let busy = (500, "{\"error\":{\"message\":\"busy\"}}");
        let no_retry = ("max_retries", "0");
        let both = [Some(TURNED_AWAY), Some(busy)];
        let (asked, _, status) = outcome(&[gateway, no_retry], "m", both);
        assert_eq!((&*asked, status), (&["chat", "responses", "responses"][..], Some(500)));
    }

    #[test]
    fn requests_go_to_the_api_that_takes_them_by_name_on_openais_own_hosts_alone() {
        let gateway = ("base_url", "https://openrouter.ai/api/v1");
        let azure = ("base_url", "https://me.openai.azure.com/openai/v1");
        for (settings, model, name) in [
            (vec![], "gpt-5.6-sol", "responses"),
            (vec![azure], "gpt-5.6-sol", "responses"),
            (vec![gateway], "gpt-5.6-sol", "chat"),
            (vec![], "gpt-6-sol", "chat"),
            (vec![], "gpt-5-pro", "responses"),
            (vec![("api", "chat")], "gpt-5-pro", "chat"),
            (vec![("api", "responses")], "gpt-4o", "responses"),
            (vec![("api", "responses"), gateway], "m", "responses"),
            (vec![("heal", "false")], "gpt-5-pro", "chat"),
            (vec![("endpoint", "https://api.openai.com/v1/chat/completions")], "gpt-5-pro", "chat"),
        ] {
            assert_eq!(asked(&settings, model, None).0, [name, name], "{settings:?} {model}");
        }
    }

    #[test]
    fn what_chat_refuses_in_favour_of_the_other_api_goes_there_and_is_remembered() {
        let gateway = ("base_url", "http://localhost:1/v1");
        let only_there = (
            404,
            r#"{"error":{"message":"This model is only supported in v1/responses and not in v1/chat/completions.","param":"model"}}"#,
        );
        for refusal in [TURNED_AWAY, only_there] {
            let (asked, _) = asked(&[gateway], "m", Some(refusal));
            assert_eq!(asked, ["chat", "responses", "responses"]);
        }
        let other = (400, r#"{"error":{"message":"see /v1/responses","param":"messages"}}"#);
        assert_eq!(asked(&[gateway], "m", Some(other)).0, ["chat", "chat"]);
        for setting in [("heal", "false"), ("api", "chat")] {
            assert_eq!(asked(&[gateway, setting], "m", Some(TURNED_AWAY)).0, ["chat", "chat"]);
        }
    }

    #[test]
    fn what_goes_back_is_kept_under_the_name_of_the_dialect_that_answered() {
        for (model, dialect) in [("gpt-5-pro", "openai-responses"), ("gpt-4o", "openai")] {
            let (_, reply) = asked(&[], model, None);
            assert!(reply.contains(&format!("\"dialect\":\"{dialect}\"")), "{reply}");
        }
    }

    /// Chat that posts through the healer, as the real one does.
    struct Posting(Healer, String);

    impl Dialect for Posting {
        fn run(&self, _: &Request, attempt: &mut Attempt<'_>, _: &mut Answer<'_>) -> Result<()> {
            let mut body = json!({"model": "m"}).as_object().cloned().unwrap_or_default();
            self.0.post(&self.1, &Headers::default(), &mut body, attempt).map(|_| ())
        }

        fn models(&self, _: &mut Attempt<'_>) -> Result<Vec<Model>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn functions_are_not_robbed_of_reasoning_where_the_other_api_takes_both() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            let (status, body) = TURNED_AWAY;
            let head = format!(
                "HTTP/1.1 {status} No\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + body).as_bytes()).unwrap();
        });
        let mut config = Config::new("openai").unwrap();
        for (key, value) in [("api_key", "k"), ("proxy", "direct"), ("base_url", &url)] {
            config.set(key, Some(value)).unwrap();
        }
        let asked = Arc::new(Mutex::default());
        let fake = Box::new(Fake { name: "responses", asked: Arc::clone(&asked), refusal: None });
        let chat = Box::new(Posting(Healer::new(&config), url));
        let router = OpenAi::new(&config, chat, ("openai-responses", fake));
        let client = Client::speaking(&config, Box::new(router)).unwrap();
        let request = Request::from_json(FUNCTIONS).unwrap();
        let mut session = Session::open(&client, &request).unwrap();
        while let Ok(Polled::Chunk(_)) = session.poll(None) {}
        server.join().unwrap();
        assert_eq!(*asked.lock().unwrap(), ["responses"]);
        assert!(session.facts().told().unwrap().changed.contains("api"));
    }
}
