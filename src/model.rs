//! [`Model`]: what a provider's list of models tells about each.

use serde_json::Value;

use crate::capabilities::Capabilities;
use crate::chunk::Chunk;
use crate::error::Result;
use crate::json;
use crate::memory;

/// One entry of a provider's list of models.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name to ask for it by.
    pub id: String,
    /// Who made or serves it, or "".
    pub owner: String,
    /// The provider's whole entry, as JSON.
    pub json: String,
    /// Tokens that fit its context; `None` when not said.
    pub context_length: Option<u64>,
    /// What the entry says the model can do.
    pub capabilities: Capabilities,
}

impl Model {
    /// A model of which only the name is known.
    pub(crate) fn named(id: &str) -> Model {
        Model {
            id: id.to_owned(),
            owner: String::new(),
            json: serde_json::json!({"id": id}).to_string(),
            context_length: None,
            capabilities: Capabilities::NONE,
        }
    }

    /// The model of a chunk of that kind.
    pub(crate) fn of_chunk(chunk: &Chunk<'_>) -> Result<Model> {
        Ok(Model {
            id: memory::text(chunk.id)?,
            owner: memory::text(chunk.name)?,
            json: memory::text(chunk.text)?,
            context_length: u64::try_from(chunk.usage.total).ok(),
            capabilities: Capabilities::of_bits(chunk.flags),
        })
    }

    /// Reads an entry of any of the shapes in use; `None` when it names no model.
    ///
    /// Entries are strings or objects named by `id`, `name` or `model`.
    pub(crate) fn from_entry(entry: &Value) -> Option<Model> {
        let id = match entry {
            Value::String(id) => id.as_str(),
            _ => first_text(entry, &["id", "name", "model"])?,
        };
        let id = id.strip_prefix("models/").unwrap_or(id);
        if id.is_empty() {
            return None;
        }
        let owner = first_text(entry, &["owned_by", "owner", "organization"]);
        let context_length =
            ["context_length", "context_window", "max_context_length", "max_model_len"]
                .iter()
                .chain(&["max_input_tokens", "inputTokenLimit"])
                .find_map(|key| entry.get(key)?.as_u64())
                // llama-server's, which is what it serves and not what the model was made for.
                .or_else(|| entry.pointer("/meta/n_ctx")?.as_u64());
        Some(Model {
            id: id.to_owned(),
            owner: owner.unwrap_or_default().to_owned(),
            json: entry.to_string(),
            context_length,
            capabilities: capabilities(entry),
        })
    }
}

/// The first text that stands at one of `keys` and is not empty.
fn first_text<'a>(entry: &'a Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().map(|key| json::text(entry, key)).find(|text| !text.is_empty())
}

/// `supports_images` is left out on purpose: gateways mean image input by it as often
/// as image output.
fn capabilities(entry: &Value) -> Capabilities {
    let architecture = entry.get("architecture").unwrap_or(&Value::Null);
    let input_of = if entry.get("input_modalities").is_some() { entry } else { architecture };
    let output_of = if entry.get("output_modalities").is_some() { entry } else { architecture };
    let outputs = |kind| lists(output_of, "output_modalities", kind);
    let vision = truthy(entry.get("vision"))
        || truthy(entry.pointer("/capabilities/vision"))
        || lists(input_of, "input_modalities", "image")
        || lists(entry, "capabilities", "vision");
    let images = truthy(entry.get("image"))
        || json::text(entry, "type") == "image"
        || (outputs("image") && !outputs("text"));
    let tools = truthy(entry.pointer("/capabilities/function_calling"))
        || lists(entry, "supported_parameters", "tools")
        || lists(entry, "capabilities", "tools");
    let mut found = Capabilities::NONE;
    for (said, capability) in [
        (vision, Capabilities::VISION),
        (images, Capabilities::IMAGES),
        (tools, Capabilities::TOOLS),
    ] {
        if said {
            found = found.with(capability);
        }
    }
    found
}

fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(_) => true,
    }
}

/// Whether the list at `key` has `item`.
fn lists(entry: &Value, key: &str, item: &str) -> bool {
    json::items(entry, key).any(|listed| listed == item)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_string_is_a_model_and_an_entry_without_a_name_is_none() {
        assert_eq!(Model::from_entry(&json!("llama3")).unwrap().id, "llama3");
        assert!(Model::from_entry(&json!({"object": "model"})).is_none());
        assert!(Model::from_entry(&json!(null)).is_none());
        assert!(Model::from_entry(&json!({"id": ""})).is_none());
    }

    #[test]
    fn openrouter_entries_tell_their_context_and_modalities() {
        let model = Model::from_entry(&json!({
            "id": "a/b", "context_length": 128000,
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "supported_parameters": ["tools"]
        }))
        .unwrap();
        assert_eq!(model.context_length, Some(128_000));
        assert!(model.capabilities.has(Capabilities::VISION));
        assert!(model.capabilities.has(Capabilities::TOOLS));
        assert!(!model.capabilities.has(Capabilities::IMAGES));
    }

    #[test]
    fn context_of_llama_server_is_what_it_serves() {
        let entry = |meta: Value| json!({"id": "m", "owned_by": "llamacpp", "meta": meta});
        let context = |meta: Value| Model::from_entry(&entry(meta)).unwrap().context_length;
        assert_eq!(context(json!({"n_ctx_train": 131_072, "n_ctx": 4096})), Some(4096));
        assert_eq!(context(json!({"n_ctx_train": 131_072})), None);
        assert_eq!(context(json!(null)), None);
    }

    #[test]
    fn image_input_is_not_taken_for_image_output() {
        let gateway = Model::from_entry(&json!({"id": "v", "supports_images": true})).unwrap();
        assert!(!gateway.capabilities.has(Capabilities::IMAGES));
        let painter = Model::from_entry(&json!({"id": "p", "image": true})).unwrap();
        assert!(painter.capabilities.has(Capabilities::IMAGES));
    }
}
