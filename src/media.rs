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
    let argument = |message| Error::new(ErrorKind::Argument, message);
    if let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) {
        return match has_host(rest) {
            true => Ok(image(url)),
            false => Err(argument("an attached URL names a host, as in https://host/image.png")),
        };
    }
    let audio_data = url.strip_prefix("data:audio/").and_then(|rest| rest.split_once(";base64,"));
    let image_data = url.strip_prefix("data:image/").map(|rest| rest.split_once(','));
    match (audio_data, image_data) {
        (Some((_, "")), _) | (_, Some(None | Some((_, "")))) => {
            Err(argument("an attached data URL has data after its comma"))
        }
        (Some((subtype, data)), _) => Ok(audio(subtype, data)),
        (_, Some(_)) => Ok(image(url)),
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
