//! What OpenAI's models are known to take, by their names. The names count only on OpenAI's own
//! hosts and Azure's: gateways and local servers use them for models that take other things.

use serde_json::Value;

use super::asked;
use crate::http::Url;
use crate::request::Request;

/// Who runs the server of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum House {
    OpenAi,
    Azure,
    Mistral,
    Other,
}

/// The end of a host's name, and whose it is.
const HOUSES: &[(&str, House)] = &[
    ("api.openai.com", House::OpenAi),
    ("openai.azure.com", House::Azure),
    ("openai.azure.us", House::Azure),
    ("services.ai.azure.com", House::Azure),
    ("cognitiveservices.azure.com", House::Azure),
    ("mistral.ai", House::Mistral),
];

impl House {
    pub(crate) fn of(url: &str) -> House {
        let Ok(url) = Url::parse(url) else { return House::Other };
        let host = url.origin().host();
        let is_of = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        HOUSES.iter().find(|(domain, _)| is_of(domain)).map_or(House::Other, |(_, house)| *house)
    }

    /// Whether the names of models are OpenAI's there.
    pub(crate) fn has_openais_models(self) -> bool {
        matches!(self, House::OpenAi | House::Azure)
    }
}

/// Models that reason, as `gpt-5.6-sol` does: their version; (0, 0) for `o1` and its kind.
pub(crate) fn reasoning_version(model: &str) -> Option<(u32, u32)> {
    let model = base_of(model);
    if model.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        return Some((0, 0));
    }
    // On Azure 3.5 is written 35.
    if model.starts_with("gpt-5-chat") || model.starts_with("gpt-35") {
        return None;
    }
    let version = model.strip_prefix("gpt-")?;
    let number = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end).unwrap_or_default().parse::<u32>().ok()
    };
    let major = number(version)?;
    let minor = version.split_once('.').filter(|(before, _)| number(before) == Some(major));
    let minor = minor.and_then(|(_, minor)| number(minor)).unwrap_or(0);
    (major >= 5).then_some((major, minor))
}

/// The model that a fine-tuned one is made of.
fn base_of(model: &str) -> &str {
    model.strip_prefix("ft:").unwrap_or(model)
}

/// Whether a model with this effort takes `temperature` and its kind.
pub(crate) fn takes_sampling(version: (u32, u32), effort: Option<&str>) -> bool {
    ((5, 1)..(6, 0)).contains(&version) && effort == Some("none")
}

/// Parts of the names of models that only the Responses API has.
const ONLY_RESPONSES: &[&str] =
    &["pro", "codex", "deep-research", "computer-use-preview", "cyber", "rosalind", "astra-law"];

/// Whether only the Responses API answers `request`.
pub(crate) fn needs_responses(model: &str, request: &Request) -> bool {
    let effort = asked::effort(request);
    let parts = format!("-{}-", base_of(model));
    (reasoning_version(model).is_some() && effort == Some("max"))
        || ONLY_RESPONSES.iter().any(|part| parts.contains(&format!("-{part}-")))
        || refuses_tools_in_chat(model, effort) && !asked::functions(request).is_empty()
}

/// Whether chat refuses functions, because the model reasons.
pub(crate) fn refuses_tools_in_chat(model: &str, effort: Option<&str>) -> bool {
    match reasoning_version(model) {
        _ if effort == Some("none") => false,
        Some((5, 6)) => true,
        Some((5, minor)) => minor >= 4 && effort.is_some(),
        _ => false,
    }
}

/// An id that Mistral takes for a tool call: nine letters and digits. The same for the same id.
pub(crate) fn mistral_call_id(id: &str) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    // FNV-1a
    let mut hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let letters = std::iter::repeat_with(|| {
        let digit = usize::try_from(hash % 62).unwrap_or_default();
        hash /= 62;
        LETTERS.get(digit).copied().map_or('0', char::from)
    });
    letters.take(9).collect()
}

/// The messages of a body.
pub(crate) fn messages(
    body: &mut serde_json::Map<String, Value>,
) -> impl Iterator<Item = &mut Value> {
    body.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_models_are_known_by_their_names() {
        for (model, version) in [
            ("o1", Some((0, 0))),
            ("o4-mini", Some((0, 0))),
            ("gpt-5", Some((5, 0))),
            ("gpt-5-mini-2025-08-07", Some((5, 0))),
            ("gpt-5.6-sol", Some((5, 6))),
            ("gpt-5.10", Some((5, 10))),
            ("gpt-6-luna", Some((6, 0))),
            ("gpt-6.2-astra", Some((6, 2))),
            ("gpt-12", Some((12, 0))),
            ("ft:gpt-5.4-mini:org::id", Some((5, 4))),
            ("gpt-5-chat-latest", None),
            ("gpt-4.1", None),
            ("gpt-4o", None),
            ("gpt-35-turbo", None),
            ("gpt-oss-120b", None),
            ("gpt-image-1", None),
            ("omni-moderation-latest", None),
            ("openai/gpt-5", None),
            ("llama-3", None),
            ("", None),
        ] {
            assert_eq!(reasoning_version(model), version, "{model}");
        }
    }

    #[test]
    fn hosts_tell_whose_names_count() {
        for (url, house) in [
            ("https://api.openai.com/v1", House::OpenAi),
            ("https://EU.api.openai.com/v1", House::OpenAi),
            ("https://me.openai.azure.com/openai/v1", House::Azure),
            ("https://me.services.ai.azure.com/openai/v1", House::Azure),
            ("https://codestral.mistral.ai/v1", House::Mistral),
            ("https://notapi.openai.com.example/v1", House::Other),
            ("https://fakeapi.openai.com/v1", House::Other),
            ("https://openrouter.ai/api/v1", House::Other),
            ("http://localhost:11434/v1", House::Other),
            ("no url", House::Other),
        ] {
            assert_eq!(House::of(url), house, "{url}");
        }
    }

    #[test]
    fn requests_that_only_the_responses_api_answers_are_known() {
        let tools = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;
        let effort = |effort: &str| format!(r#","reasoning_effort":"{effort}""#);
        let none: &str = &effort("none");
        let low: &str = &effort("low");
        let max: &str = &effort("max");
        for (model, fields, needs) in [
            ("gpt-5.6-sol", vec![tools], true),
            ("gpt-5.6-sol", vec![tools, low], true),
            ("gpt-5.6-sol", vec![tools, none], false),
            ("gpt-5.6-sol", vec![low], false),
            ("gpt-5.6-sol", vec![max], true),
            ("gpt-5.4-mini", vec![tools], false),
            ("gpt-5.4-mini", vec![tools, low], true),
            ("gpt-5.4", vec![tools, none], false),
            ("gpt-5.2", vec![tools, low], false),
            ("gpt-6-luna", vec![tools, low], false),
            ("gpt-6-luna", vec![max], true),
            ("gpt-4o", vec![max], false),
            ("gpt-5-pro", vec![], true),
            ("o3-pro-2025-06-10", vec![], true),
            ("gpt-5.1-codex-mini", vec![], true),
            ("codex-mini-latest", vec![], true),
            ("o4-mini-deep-research", vec![], true),
            ("computer-use-preview", vec![], true),
            ("gpt-6-cyber", vec![], true),
            ("gpt-6-rosalind", vec![], true),
            ("gpt-6.2-astra-law", vec![], true),
            ("gpt-6.2-astra", vec![], false),
            ("gpt-4o-provence", vec![], false),
        ] {
            let json = format!(r#"{{"messages":[]{}}}"#, fields.concat());
            let request = Request::from_json(&json).unwrap();
            assert_eq!(needs_responses(model, &request), needs, "{model} {json}");
        }
    }

    #[test]
    fn ids_for_mistral_are_nine_letters_and_the_same_each_time() {
        assert_eq!(mistral_call_id("a1B2c3D4e"), "a1B2c3D4e");
        let ids = ["call_1", "call_2", "a1B2c3D4-", "", "é"].map(mistral_call_id);
        for id in &ids {
            assert!(id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
        }
        assert_ne!(ids[0], ids[1]);
        assert_eq!(mistral_call_id("call_1"), ids[0]);
    }
}
