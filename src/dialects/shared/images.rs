//! The answer to a request for images, in OpenAI's form: one JSON document.

use serde_json::Value;

use crate::answer::Answer;
use crate::answer::usage::usage_of;
use crate::dialects::{Flow, Reader};
use crate::error::Result;
use crate::media;
use crate::wire::Event;

/// Reads that document.
#[derive(Default)]
pub(crate) struct Images {
    read: bool,
}

impl Reader for Images {
    fn read(&mut self, event: Event<'_>, answer: &mut Answer<'_>) -> Result<Flow> {
        self.read = true;
        let document = answer.json(event.data)?;
        take(&document, answer)?;
        Ok(Flow::Done)
    }

    fn end(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        match self.read {
            true => Ok(()),
            false => Err(answer.protocol_error("answered with nothing")),
        }
    }
}

fn take(document: &Value, answer: &mut Answer<'_>) -> Result<()> {
    let items = document.get("data").and_then(Value::as_array).filter(|items| !items.is_empty());
    let Some(items) = items else {
        return Err(answer.protocol_error("answered without an image"));
    };
    let text = |item: &Value, key: &str| {
        item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    answer.start("", &text(document, "model"));
    for item in items {
        // One image at a time is held.
        answer.flush()?;
        let prompt = text(item, "revised_prompt");
        let data = item.get("b64_json").and_then(Value::as_str);
        let bytes = data.map(media::decode_base64).transpose()?.flatten();
        match (bytes, &*text(item, "url")) {
            (Some(bytes), _) => answer.image(0, &bytes, &prompt),
            (None, "") => {
                return Err(answer.protocol_error("returned an image without `url` or `b64_json`"));
            }
            (None, url) => answer.image_at(0, url, &prompt),
        }
    }
    if let Some(usage) = document.get("usage").and_then(usage_of) {
        answer.usage(usage);
    }
    Ok(())
}
