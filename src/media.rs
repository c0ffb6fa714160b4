//! Media: what kind bytes are, and how they are written into a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// The media type that the first bytes tell.
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
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Argument, "the attachment is empty"));
    }
    let mime = match mime {
        Some(mime) => mime,
        None => sniff(bytes).ok_or_else(|| {
            Error::new(
                ErrorKind::Argument,
                "the kind of the attachment is not known: name its media type, such as image/png",
            )
        })?,
    };
    let url = || encode(&format!("data:{mime};base64,"), bytes);
    match mime.split_once('/') {
        Some(("image", _)) => Ok(image(url()?)),
        Some(("audio", subtype)) => Ok(audio(subtype, encode("", bytes)?)),
        Some(("application", "pdf")) => {
            let mut part =
                json!({"type": "file", "file": {"filename": "attachment.pdf", "file_data": ""}});
            put(&mut part, "/file/file_data", url()?);
            Ok(part)
        }
        _ => Err(Error::new(
            ErrorKind::Argument,
            format!("{mime:?} cannot be attached; image/*, audio/* and application/pdf can"),
        )),
    }
}

/// The part that points to `url`, which may be a data URL.
pub(crate) fn part_of_url(url: &str) -> Result<Value> {
    let argument = |message| Error::new(ErrorKind::Argument, message);
    if let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) {
        return match has_host(rest) {
            true => Ok(image(memory::text(url)?)),
            false => Err(argument("an attached URL names a host, as in https://host/image.png")),
        };
    }
    let audio_data = url.strip_prefix("data:audio/").and_then(|rest| rest.split_once(";base64,"));
    let image_data = url.strip_prefix("data:image/").map(|rest| rest.split_once(','));
    match (audio_data, image_data) {
        (Some((_, "")), _) | (_, Some(None | Some((_, "")))) => {
            Err(argument("an attached data URL has data after its comma"))
        }
        (Some((subtype, data)), _) => Ok(audio(subtype, memory::text(data)?)),
        (_, Some(_)) => Ok(image(memory::text(url)?)),
        _ => Err(argument(
            "an attached URL starts with https://, http://, data:image/ or data:audio/...;base64,",
        )),
    }
}

/// Whether what stands after `https://` begins with a host.
fn has_host(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    !host.is_empty()
        && !host.starts_with(':')
        && !host.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// `bytes` in base64, behind `start`.
fn encode(start: &str, bytes: &[u8]) -> Result<String> {
    let length = base64::encoded_len(bytes.len(), true).unwrap_or(usize::MAX);
    let mut text = String::new();
    memory::reserve_text(&mut text, start.len().saturating_add(length))?;
    text.push_str(start);
    BASE64.encode_string(bytes, &mut text);
    Ok(text)
}

/// Moves `text` to its place in `part`: json! would copy it.
fn put(part: &mut Value, place: &str, text: String) {
    if let Some(value) = part.pointer_mut(place) {
        *value = Value::String(text);
    }
}

fn image(url: String) -> Value {
    let mut part = json!({"type": "image_url", "image_url": {"url": ""}});
    put(&mut part, "/image_url/url", url);
    part
}

fn audio(subtype: &str, data: String) -> Value {
    let format = match subtype {
        "mpeg" => "mp3",
        "x-wav" | "wave" | "vnd.wave" => "wav",
        other => other,
    };
    let mut part = json!({"type": "input_audio", "input_audio": {"data": "", "format": format}});
    put(&mut part, "/input_audio/data", data);
    part
}

/// The bytes of a `data:` URL in base64; `None` for any other text.
pub(crate) fn decode_data_url(url: &str) -> Result<Option<Vec<u8>>> {
    let data = url.strip_prefix("data:").and_then(|url| url.split_once(";base64,"));
    Ok(data.map(|(_, data)| decode_base64(data)).transpose()?.flatten())
}

/// Standard base64, with or without its padding; `None` for any other text.
pub(crate) fn decode_base64(data: &str) -> Result<Option<Vec<u8>>> {
    use base64::alphabet;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let data = data.trim();
    let mut bytes = Vec::new();
    memory::reserve(&mut bytes, base64::decoded_len_estimate(data.len()))?;
    Ok(LENIENT.decode_vec(data, &mut bytes).ok().map(|()| bytes))
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

    #[test]
    fn attached_urls_name_a_host_or_hold_data() {
        for url in ["https://h/i.png", "http://u:p@h:8/", "https://[::1]/i", "data:image/png,x"] {
            assert!(part_of_url(url).is_ok(), "{url}");
        }
        for url in [
            "https://",
            "http://",
            "https:///i.png",
            "https://?q",
            "https://:80/",
            "https://u@/i.png",
            "https://a b/",
            "data:image/",
            "data:image/png;base64,",
            "data:audio/wav;base64,",
            "data:audio/wav",
            "ftp://h/i.png",
            "",
        ] {
            assert_eq!(part_of_url(url).unwrap_err().kind(), ErrorKind::Argument, "{url}");
        }
    }
}
