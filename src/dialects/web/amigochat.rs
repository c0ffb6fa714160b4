//! AmigoChat: a web chat with a persona for each model. The service is gone; its protocol is
//! kept.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::capabilities::Capabilities;
use crate::config::Config;
use crate::dialects::shared::chat::ChatReader;
use crate::dialects::shared::images::Images;
use crate::dialects::shared::web;
use crate::dialects::{Dialect, read};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Headers, HttpRequest};
use crate::model::Model;
use crate::prompt;
use crate::request::Request;

/// Chat models and their personas, in the order of the public list.
const CHAT: &[(&str, &str)] = &[
    ("gpt-4o-2024-11-20", "gpt"),
    ("gpt-4o", "summarizer"),
    ("gpt-4o-mini", "amigo"),
    ("o1-preview-", "openai-o-one"),
    ("o1-preview-2024-09-12-", "orion"),
    ("o1-mini-", "openai-o-one-mini"),
    ("meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo", "llama-three-point-one"),
    ("meta-llama/Llama-3.2-90B-Vision-Instruct-Turbo", "llama-3-2"),
    ("codellama/CodeLlama-34b-Instruct-hf", "codellama-CodeLlama-34b-Instruct-hf"),
    ("gemini-1.5-pro", "gemini-1-5-pro"),
    ("gemini-1.5-flash", "gemini-1.5-flash"),
    ("claude-3-5-sonnet-20240620", "claude"),
    ("claude-3-5-sonnet-20241022", "clude-claude-3-5-sonnet-20241022"),
    ("claude-3-5-haiku-latest", "3-5-haiku"),
    ("Qwen/Qwen2.5-72B-Instruct-Turbo", "qwen-2-5"),
    ("google/gemma-2b-it", "google-gemma-2b-it"),
    ("google/gemma-7b", "google-gemma-7b"),
    ("Gryphe/MythoMax-L2-13b", "Gryphe-MythoMax-L2-13b"),
    ("mistralai/Mistral-7B-Instruct-v0.3", "mistralai-Mistral-7B-Instruct-v0.1"),
    ("mistralai/mistral-tiny", "mistralai-mistral-tiny"),
    ("mistralai/mistral-nemo", "mistralai-mistral-nemo"),
    ("deepseek-ai/deepseek-llm-67b-chat", "deepseek-ai-deepseek-llm-67b-chat"),
    ("databricks/dbrx-instruct", "databricks-dbrx-instruct"),
    ("NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO", "NousResearch-Nous-Hermes-2-Mixtral-8x7B-DPO"),
    ("x-ai/grok-beta", "x-ai-grok-beta"),
    ("anthracite-org/magnum-v4-72b", "anthracite-org-magnum-v4-72b"),
    ("cohere/command-r-plus", "cohere-command-r-plus"),
    ("ai21/jamba-1-5-mini", "ai21-jamba-1-5-mini"),
    ("zero-one-ai/Yi-34B", "zero-one-ai-Yi-34B"),
];

/// Image models and their personas.
const IMAGES: &[(&str, &str)] = &[
    ("flux-pro/v1.1", "flux-1-1-pro"),
    ("flux-realism", "flux-realism"),
    ("flux-pro", "flux-pro"),
    ("flux-pro/v1.1-ultra", "flux-pro-v1.1-ultra"),
    ("flux-pro/v1.1-ultra-raw", "flux-pro-v1.1-ultra-raw"),
    ("flux/dev", "flux-dev"),
    ("dall-e-3", "dalle-three"),
    ("recraft-v3", "recraft"),
];

const ALIASES: &[(&str, &str)] = &[
    ("gpt-4o", "gpt-4o-2024-11-20"),
    ("llama-3.1-405b", "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo"),
    ("llama-3.2-90b", "meta-llama/Llama-3.2-90B-Vision-Instruct-Turbo"),
    ("codellama-34b", "codellama/CodeLlama-34b-Instruct-hf"),
    ("gemini-flash", "gemini-1.5-flash"),
    ("claude-3.5-sonnet", "claude-3-5-sonnet-20241022"),
    ("claude-3.5-haiku", "claude-3-5-haiku-latest"),
    ("qwen-2.5-72b", "Qwen/Qwen2.5-72B-Instruct-Turbo"),
    ("gemma-2b", "google/gemma-2b-it"),
    ("mythomax-13b", "Gryphe/MythoMax-L2-13b"),
    ("mixtral-7b", "mistralai/Mistral-7B-Instruct-v0.3"),
    ("mistral-nemo", "mistralai/mistral-nemo"),
    ("deepseek-chat", "deepseek-ai/deepseek-llm-67b-chat"),
    ("dbrx-instruct", "databricks/dbrx-instruct"),
    ("mixtral-8x7b-dpo", "NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO"),
    ("grok-beta", "x-ai/grok-beta"),
    ("magnum-72b", "anthracite-org/magnum-v4-72b"),
    ("command-r-plus", "cohere/command-r-plus"),
    ("jamba-mini", "ai21/jamba-1-5-mini"),
    ("flux-dev", "flux/dev"),
];

/// The `authorization` is the bare word, and the strange `origin` and `referer` are what
/// the service was sent.
const HEADERS: &[(&str, &str)] = &[
    ("accept", "*/*"),
    ("accept-language", "en-US,en;q=0.9"),
    ("authorization", "Bearer"),
    ("cache-control", "no-cache"),
    ("content-type", "application/json"),
    ("origin", "https://amigochat.io/chat/"),
    ("pragma", "no-cache"),
    ("priority", "u=1, i"),
    ("referer", "https://amigochat.io/chat//"),
    ("sec-ch-ua", "\"Chromium\";v=\"129\", \"Not=A?Brand\";v=\"8\""),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", "\"Linux\""),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
    ),
    ("x-device-language", "en-US"),
    ("x-device-platform", "web"),
    ("x-device-uuid", ""),
    ("x-device-version", "1.0.45"),
];

pub(crate) struct AmigoChat {
    config: Config,
    headers: Headers,
}

impl AmigoChat {
    pub(crate) fn new(config: &Config) -> Result<AmigoChat> {
        Ok(AmigoChat { config: config.clone(), headers: web::headers(HEADERS, config)? })
    }

    /// A request of this attempt: each is from a device of its own.
    fn request(&self, path: &str, body: &Value) -> Result<HttpRequest> {
        let mut headers = self.headers.clone();
        headers.set("x-device-uuid", &Uuid::new_v4().to_string())?;
        HttpRequest::post_json(&self.config.url(path), headers, body)
    }

    fn chat(
        &self,
        model: &str,
        persona: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let or = |name: &str, default: Value| request.field(name).cloned().unwrap_or(default);
        let body = json!({
            "chatId": Uuid::new_v4().to_string(),
            "frequency_penalty": or("frequency_penalty", json!(0)),
            "max_tokens": or("max_tokens", json!(4000)),
            "messages": request.messages(),
            "model": model,
            "personaId": persona,
            "presence_penalty": or("presence_penalty", json!(0)),
            "stream": request.stream(),
            "temperature": or("temperature", json!(0.5)),
            "top_p": or("top_p", json!(0.95)),
        });
        let response = attempt.send(self.request("/chat/completions", &body)?)?;
        read(response, &mut ChatReader::new(), attempt, answer)?;
        answer.finish()
    }

    fn image(
        &self,
        model: &str,
        persona: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let last = request.messages().last().and_then(|message| message.get("content"));
        let prompt = last.map(prompt::text_of).unwrap_or_default();
        let body = json!({"prompt": prompt, "model": model, "personaId": persona});
        let response = attempt.send(self.request("/images/generations", &body)?)?;
        read(response, &mut Images::default(), attempt, answer)?;
        answer.finish()
    }
}

impl Dialect for AmigoChat {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let asked = self.config.model_for(request);
        let model =
            ALIASES.iter().find(|(alias, _)| *alias == asked).map_or(asked, |(_, model)| model);
        answer.asked(request, model);
        let persona_in = |models: &[(&str, &'static str)]| {
            models.iter().find(|(known, _)| *known == model).map(|(_, persona)| *persona)
        };
        let answered = match (persona_in(CHAT), persona_in(IMAGES)) {
            (Some(persona), _) => Some(self.chat(model, persona, request, attempt, answer)),
            (None, Some(persona)) => Some(self.image(model, persona, request, attempt, answer)),
            (None, None) => None,
        };
        if let Some(answered) = answered {
            // Another device may get past a challenge page.
            return answered.map_err(|error| match error.kind() {
                ErrorKind::Blocked => error.worth_a_retry(),
                _ => error,
            });
        }
        let known: Vec<&str> = CHAT.iter().chain(IMAGES).map(|(model, _)| *model).collect();
        Err(Error::new(
            ErrorKind::NotFound,
            format!("{model:?} is no model of AmigoChat; there are {}", known.join(", ")),
        ))
    }

    fn models(&self, _: &mut Attempt<'_>) -> Result<Vec<Model>> {
        let chat = CHAT.iter().map(|(id, _)| Model::named(id));
        let images = IMAGES
            .iter()
            .map(|(id, _)| Model { capabilities: Capabilities::IMAGES, ..Model::named(id) });
        Ok(chat.chain(images).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_leads_to_a_model_that_has_a_persona() {
        assert_eq!((CHAT.len(), IMAGES.len(), ALIASES.len()), (29, 8, 20));
        for (alias, model) in ALIASES {
            let personas = CHAT.iter().chain(IMAGES).filter(|(known, _)| known == model);
            assert_eq!(personas.count(), 1, "{alias}");
        }
    }
}
