//! GigaChat, by Sber: OAuth in front of a protocol much like OpenAI's of the days of
//! functions, and its second version with named events.

mod oauth;
mod v1;
mod v2;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::shared::chat::ChatReader;
use super::{Dialect, read};
use crate::answer::Answer;
use crate::attempt::{Attempt, Response};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{self, Headers, HttpRequest};
use crate::media;
use crate::memory;
use crate::model::Model;
use crate::raw::Raw;
use crate::request::Request;
use crate::secret::Secret;
use oauth::Access;

pub(super) struct GigaChat {
    config: Config,
    /// Below the base URL, of the version asked for.
    base: String,
    second: bool,
    access: Access,
}

impl GigaChat {
    pub(super) fn new(config: &Config) -> Result<GigaChat> {
        let second = config.option("api_version") == Some("v2");
        let (place, query) = http::cut_query(&config.base_url);
        let base = match place.strip_suffix("/v1") {
            Some(origin) if second => format!("{origin}/v2{query}"),
            _ => config.base_url.clone(),
        };
        Ok(GigaChat { config: config.clone(), base, second, access: Access::new(config)? })
    }

    /// Sends with a token; where it is refused, once more with a new one.
    fn send(
        &self,
        attempt: &mut Attempt<'_>,
        make: impl Fn(Headers) -> Result<HttpRequest>,
    ) -> Result<Response> {
        let mut refused: Option<Secret> = None;
        loop {
            let (token, fresh) = self.access.token(refused.as_ref(), attempt)?;
            attempt.hide(&token);
            let mut headers = Headers::default();
            headers.set("Authorization", &format!("Bearer {}", token.expose()))?;
            match attempt.send(make(headers)?) {
                Err(error) if error.http_status() == Some(401) && !fresh && refused.is_none() => {
                    refused = Some(token);
                }
                outcome => return outcome,
            }
        }
    }

    fn post(
        &self,
        path: &str,
        stream: bool,
        body: &Value,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response> {
        let url = http::join(&self.base, path);
        self.send(attempt, |mut headers| {
            headers.put("Content-Type", "application/json");
            headers.put("Accept", if stream { "text/event-stream" } else { "application/json" });
            if stream {
                headers.put("Cache-Control", "no-store");
            }
            HttpRequest::post_json(&url, headers, body)
        })
    }

    fn chat(
        &self,
        model: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let body = self.body(model, request, attempt)?;
        let body = Value::Object(body);
        let response = self.post("/chat/completions", request.stream(), &body, attempt)?;
        let mut reader = ChatReader::showing_files();
        read(response, &mut reader, attempt, answer)?;
        self.show(&reader.files(), attempt, answer)?;
        answer.finish()
    }

    /// The second version of the contract.
    fn chat_second(
        &self,
        model: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let first = self.body(model, request, attempt)?;
        let body = v2::body(&first, request);
        let response = self.post("/chat/completions", request.stream(), &body, attempt)?;
        let mut reader = v2::AnswerReader::default();
        read(response, &mut reader, attempt, answer)?;
        self.show(&reader.files, attempt, answer)?;
        answer.finish()
    }

    /// Fetches and delivers the images that the answer shows, one by one.
    fn show(
        &self,
        files: &[String],
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        for id in files {
            // What there is already does not wait for the next download.
            answer.flush()?;
            let bytes = self.download(id, attempt)?;
            answer.image(0, &bytes, "");
        }
        Ok(())
    }

    /// A file that the answer shows: an image that the model made.
    fn download(&self, id: &str, attempt: &mut Attempt<'_>) -> Result<Vec<u8>> {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC).to_string().replace("%2D", "-");
        let url = self.config.url(&format!("/files/{id}/content"));
        let response = self.send(attempt, |mut headers| {
            headers.put("Accept", "application/jpg");
            Ok(HttpRequest { is_file: true, ..HttpRequest::get(&url, headers) })
        })?;
        attempt.bytes(response)
    }

    /// Uploads what a part of a message carries; its id.
    fn upload(&self, part: &Value, attempt: &mut Attempt<'_>) -> Result<Option<String>> {
        let url = part.pointer("/image_url/url").or_else(|| part.get("image_url"));
        let url = url.or_else(|| part.pointer("/file/file_data"));
        let bytes = match (url.and_then(Value::as_str), part.pointer("/input_audio/data")) {
            (Some(url), _) => match media::decode_data_url(url)? {
                Some(bytes) => bytes,
                None if url.starts_with("data:") => return Err(not_base64()),
                None => attempt.fetch_attached(url)?,
            },
            (None, Some(Value::String(data))) => {
                media::decode_base64(data)?.ok_or_else(not_base64)?
            }
            _ => return Ok(None),
        };
        let mime = media::sniff(&bytes).unwrap_or("application/octet-stream");
        let name = format!("file.{}", mime.rsplit('/').next().unwrap_or_default());
        let boundary = Uuid::new_v4().simple().to_string();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\ngeneral\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: {mime}\r\n\r\n"
        );
        let end = format!("\r\n--{boundary}--\r\n");
        let mut body = Vec::new();
        for part in [head.as_bytes(), &bytes, end.as_bytes()] {
            memory::append(&mut body, part)?;
        }
        let url = self.config.url("/files");
        let response = self.send(attempt, |mut headers| {
            headers.put("Accept", "application/json");
            headers.put("Content-Type", &format!("multipart/form-data; boundary={boundary}"));
            Ok(HttpRequest::post(&url, headers, memory::bytes(&body)?))
        })?;
        let answer = attempt.aside(response)?;
        match answer.get("id").and_then(Value::as_str) {
            Some(id) => Ok(Some(id.to_owned())),
            None => Err(attempt.protocol_error("took a file and gave no id for it")),
        }
    }

    /// The request in the words of the first version.
    fn body(
        &self,
        model: &str,
        request: &Request,
        attempt: &mut Attempt<'_>,
    ) -> Result<Map<String, Value>> {
        v1::body(model, request, &mut |part| self.upload(part, attempt))
    }
}

impl Dialect for GigaChat {
    fn run(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let model = self.config.model_for(request);
        answer.asked(request, model);
        match self.second {
            true => self.chat_second(model, request, attempt, answer),
            false => self.chat(model, request, attempt, answer),
        }
    }

    fn send_raw(&self, raw: &Raw, attempt: &mut Attempt<'_>) -> Result<Response> {
        self.send(attempt, |headers| raw.request(headers))
    }

    fn models(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Model>> {
        let url = self.config.url("/models");
        let response = self.send(attempt, |mut headers| {
            headers.put("Accept", "application/json");
            Ok(HttpRequest::get(&url, headers))
        })?;
        let list = attempt.aside(response)?;
        let Some(entries) = list.get("data").and_then(Value::as_array) else {
            return Err(attempt.protocol_error("answered with no list of models"));
        };
        // Beside models that chat there are some that embed, filter and check.
        let chats = |entry: &&Value| entry.get("type").is_none_or(|kind| kind == "chat");
        Ok(entries.iter().filter(chats).filter_map(Model::from_entry).collect())
    }
}

fn not_base64() -> Error {
    Error::new(ErrorKind::Argument, "the data of an attachment is not base64")
}
