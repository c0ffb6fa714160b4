//! Media: what kind bytes are, and how they are written into a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};

/// The media type that the first bytes tell (providers.md 1.8).
pub(crate) fn sniff(bytes: &[u8]) -> Option<&'static str> {
    let at =
        |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|b| b.starts_with(magic));
    let mime = match () {
        () if at(0, b"\xff\xd8") => "image/jpeg",
        () if at(0, b"\x89JFIF") || at(0, b"JFIF\0") => "image/jpeg",
        () if at(0, b"\x89PNG\r\n\x1a\n") => "image/png",
        () if at(0, b"GIF87a") || at(0, b"GIF89a") => "image/gif",
        () if at(0, b"RIFF") && at(8, b"WEBP") => "image/webp",
        () if at(0, b"RIFF") && at(8, b"WAVE") => "audio/wav",
        () if at(0, b"ID3") || at(0, b"\xff\xfb") || at(0, b"\xff\xf3") => "audio/mpeg",
        () if at(0, b"OggS") => "audio/ogg",
        () if at(0, b"fLaC") => "audio/flac",
        () if at(0, b"%PDF-") => "application/pdf",
        () => return None,
    };
    Some(mime)
}

/// The part of a message's content that carries `bytes` (OpenAI API reference, chat).
pub(crate) fn part(bytes: &[u8], mime: Option<&str>) -> Result<Value> {
    let mime = match mime {
        Some(mime) => mime,
        None => sniff(bytes).ok_or_else(|| {
            Error::new(
                ErrorKind::Argument,
                "the kind of the attachment is not known: name its media type, such as image/png",
            )
        })?,
    };
    let data = BASE64.encode(bytes);
    match mime.split_once('/') {
        Some(("image", _)) => Ok(image(&format!("data:{mime};base64,{data}"))),
        Some(("audio", subtype)) => Ok(audio(subtype, &data)),
        Some(("application", "pdf")) => Ok(json!({
            "type": "file",
            "file": {"filename": "attachment.pdf", "file_data": format!("data:{mime};base64,{data}")}
        })),
        _ => Err(Error::new(
            ErrorKind::Argument,
            format!("{mime:?} cannot be attached; image/*, audio/* and application/pdf can"),
        )),
    }
}

/// The part that points to `url`, which may be a data URL.
pub(crate) fn part_of_url(url: &str) -> Result<Value> {
    if let Some(audio_url) = url.strip_prefix("data:audio/") {
        if let Some((subtype, data)) = audio_url.split_once(";base64,") {
            return Ok(audio(subtype, data));
        }
    }
    if ["https://", "http://", "data:image/"].iter().any(|start| url.starts_with(start)) {
        return Ok(image(url));
    }
    Err(Error::new(
        ErrorKind::Argument,
        "an attached URL starts with https://, http://, data:image/ or data:audio/...;base64,",
    ))
}

fn image(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

fn audio(subtype: &str, data: &str) -> Value {
    let format = match subtype {
        "mpeg" => "mp3",
        "x-wav" | "wave" | "vnd.wave" => "wav",
        other => other,
    };
    json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
}

/// The bytes of a `data:` URL in base64; `None` for any other text.
pub(crate) fn decode_data_url(url: &str) -> Option<Vec<u8>> {
    let (_, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    decode_base64(data)
}

/// Standard base64, with or without its padding.
pub(crate) fn decode_base64(data: &str) -> Option<Vec<u8>> {
    use base64::alphabet;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(data.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_kind() {
        for (bytes, kind) in [
            (&b"\xff\xd8\xff"[..], Some("image/jpeg")),
            (b"\x89JFIF", Some("image/jpeg")),
            (b"JFIF\0", Some("image/jpeg")),
            (b"\x89PNG\r\n\x1a\n", Some("image/png")),
            (b"GIF87a", Some("image/gif")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF\0\0\0\0WEBP", Some("image/webp")),
            (b"RIFF\0\0\0\0WAVE", Some("audio/wav")),
            (b"text", None),
            (b"", None),
        ] {
            assert_eq!(sniff(bytes), kind, "{bytes:?}");
        }
    }
}
