//! What providers say when they refuse or fail, in all the shapes they say it in, made
//! into one [`Error`].

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::error::{Details, Error, ErrorKind, Result};
use crate::http::Headers;
use crate::memory;

/// How much of a text that is no JSON goes into a message.
const EXCERPT: usize = 300;

/// What the body of a refusal says.
#[derive(Default)]
struct Said {
    message: String,
    /// The provider's own words for the class: `error.code`, `type` and `status`.
    codes: Vec<String>,
    /// A number in the place of the code is as a rule an HTTP status.
    status: Option<u16>,
    retry_after: Option<Duration>,
}

/// Whether there is memory to make an error of `bytes` that a server sent: they are parsed
/// and copied several times before they are cut.
pub(crate) fn room_for_error(bytes: usize) -> Result<()> {
    memory::room_for(bytes.saturating_mul(8))
}

/// The error that a response with a status other than 2xx is.
pub(crate) fn of_response(host: &str, status: u16, headers: &Headers, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let details = |said: &Said| Details {
        http_status: status,
        retry_after: retry_after(headers).or(said.retry_after),
        provider_code: said.codes.first().cloned().unwrap_or_default(),
        request_id: String::new(),
        body: text.clone().into_owned(),
        should_retry: headers.get("x-should-retry").map(|value| value.trim() == "true"),
    };
    if (300..400).contains(&status) {
        let place = headers.get("location").unwrap_or_default();
        let place = place.split(['?', '#']).next().unwrap_or_default();
        return Error::new(
            ErrorKind::Protocol,
            format!(
                "{host} redirects to {place:?} ({status}); redirects are not followed: set base_url"
            ),
        )
        .with_details(details(&Said::default()));
    }
    // Bot protection also answers in text, and in JSON.
    if is_page(&text) || (status == 403 && of_page(&text).0.is_some()) {
        let (kind, what) = of_page(&text);
        let kind = kind.unwrap_or_else(|| class(status, &Said::default()));
        return Error::new(kind, format!("{host} answered {status} with {what}"))
            .with_details(details(&Said::default()));
    }
    let said = document(&text).and_then(|body| refusal(&body));
    let said = said.unwrap_or_else(|| Said { message: excerpt(&text), ..Said::default() });
    let message = match said.message.as_str() {
        "" => format!("{host} answered {status}"),
        message => format!("{host} answered {status}: {message}"),
    };
    Error::new(class(status, &said), message).with_details(details(&said))
}

/// The document in the body of a refusal. Gateways that were asked for a stream send it as the
/// stream's first event.
fn document(body: &str) -> Option<Value> {
    let mut events = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let first = || events.find_map(|data| serde_json::from_slice(data.as_bytes()).ok());
    serde_json::from_slice(body.as_bytes()).ok().or_else(first)
}

/// The error that stands in an event, or in a body of status 200, if one does.
///
/// `"error": null`, `false`, `""` and `{}` are none: servers send them where nothing failed.
pub(crate) fn in_event(host: &str, event: &Value) -> Option<Error> {
    let said = stated(event)?;
    let status = said.status.unwrap_or(0);
    let message = format!("{host} ended the answer with an error: {}", said.message);
    let details = Details {
        http_status: status,
        retry_after: said.retry_after,
        provider_code: said.codes.first().cloned().unwrap_or_default(),
        body: event.to_string(),
        ..Details::default()
    };
    Some(Error::new(class(status, &said), message).with_details(details))
}

/// The error that an event is which calls itself one, whatever stands in it.
pub(crate) fn of_event(host: &str, data: &[u8]) -> Error {
    let text = String::from_utf8_lossy(data);
    let event = serde_json::from_slice::<Value>(data).unwrap_or_default();
    in_event(host, &event).unwrap_or_else(|| {
        let said = plain(&event);
        let said = said.unwrap_or_else(|| Said { message: excerpt(&text), ..Said::default() });
        let message = format!("{host} ended the answer with an error: {}", said.message);
        let provider_code = said.codes.first().cloned().unwrap_or_default();
        let details = Details { provider_code, body: text.into_owned(), ..Details::default() };
        Error::new(class(0, &said), message).with_details(details)
    })
}

/// The error that a web page is in the place of an answer of status 200.
pub(crate) fn of_page_for_answer(host: &str, page: &[u8]) -> Error {
    let text = String::from_utf8_lossy(page);
    let (kind, what) = of_page(&text);
    Error::new(kind.unwrap_or(ErrorKind::Protocol), format!("{host} answered with {what}"))
        .with_details(Details { http_status: 200, body: text.into_owned(), ..Details::default() })
}

/// Whether an error may stand in an event: only then it is looked into.
pub(crate) fn may_be_in(event: &Value) -> bool {
    let event = first_of(event);
    let is_there = |key: &&str| event.get(*key).is_some_and(|value| !value.is_null());
    ["error", "error_message", "base_resp"].iter().any(is_there) || calls_itself_error(event)
}

/// The first item of a list; anything else as it is.
fn first_of(body: &Value) -> &Value {
    body.as_array().and_then(|items| items.first()).unwrap_or(body)
}

fn calls_itself_error(body: &Value) -> bool {
    ["object", "type"].iter().any(|key| body.get(key).is_some_and(|value| value == "error"))
}

/// An error in the `error` member, or in one of its other names.
fn stated(body: &Value) -> Option<Said> {
    let body = first_of(body);
    if let Some(message) = text(body, "error_message") {
        return Some(Said { message, ..Said::default() });
    }
    let status = body.pointer("/base_resp/status_code").and_then(Value::as_i64);
    if let Some(status) = status.filter(|status| *status != 0) {
        let message = body.pointer("/base_resp").and_then(|base| text(base, "status_msg"));
        return Some(Said {
            message: message.unwrap_or_else(|| format!("status {status}")),
            codes: vec![status.to_string()],
            ..Said::default()
        });
    }
    match body.get("error") {
        Some(Value::String(message)) if !message.is_empty() => {
            let more = text(body, "message").filter(|more| more != message);
            let message = more.map_or(message.clone(), |more| format!("{message}: {more}"));
            Some(Said { message, codes: words(body, &["code", "type"]), ..Said::default() })
        }
        Some(Value::Bool(true)) => {
            let message = text(body, "message").unwrap_or_else(|| body.to_string());
            Some(Said { message, codes: words(body, &["code", "type"]), ..Said::default() })
        }
        Some(error @ Value::Object(fields)) if !fields.is_empty() => {
            let message = text(error, "message").or_else(|| text(error, "msg"));
            let mut message = message.unwrap_or_else(|| error.to_string());
            if let Some(generation) = text(error, "failed_generation") {
                message = format!("{message} ({generation})");
            }
            // LiteLLM and others write the number as text.
            let number = error.get("code");
            let number =
                number.and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
            let mut codes = words(error, &["code", "type", "status"]);
            codes.extend(narrower_codes(error));
            Some(Said {
                message,
                codes,
                status: number
                    .and_then(|n| u16::try_from(n).ok())
                    .filter(|n| (400..600).contains(n))
                    .or_else(|| http_status_of(error.get("status")?.as_str()?)),
                retry_after: retry_delay(error),
            })
        }
        _ if calls_itself_error(body) => plain(body),
        _ => None,
    }
}

/// All that a body of a refused request can say.
fn refusal(body: &Value) -> Option<Said> {
    stated(body).or_else(|| plain(body))
}

/// A message without an `error` around it.
fn plain(body: &Value) -> Option<Said> {
    let message = ["message", "detail", "error_description", "title", "msg"].iter().find_map(
        |key| match body.get(key)? {
            Value::String(message) if !message.is_empty() => Some(message.clone()),
            other @ (Value::Object(_) | Value::Array(_)) => Some(other.to_string()),
            _ => None,
        },
    )?;
    Some(Said { message, codes: words(body, &["code", "type", "__type"]), ..Said::default() })
}

fn text(body: &Value, key: &str) -> Option<String> {
    body.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn words(body: &Value, keys: &[&str]) -> Vec<String> {
    keys.iter()
        .filter_map(|key| match body.get(key)? {
            Value::String(word) if !word.is_empty() => Some(word.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect()
}

/// What `details` adds to the class: a code, or objects that have one.
fn narrower_codes(error: &Value) -> Vec<String> {
    let of = |detail: &Value| match detail {
        Value::String(code) => vec![code.clone()],
        detail => words(detail, &["code", "type", "error_code", "reason"]),
    };
    match error.get("details") {
        Some(Value::Array(details)) => details.iter().flat_map(of).collect(),
        Some(details) => of(details),
        None => Vec::new(),
    }
}

/// Google's way of saying when to come again: `details[].retryDelay`, such as "34s".
fn retry_delay(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    seconds(delay.strip_suffix('s')?)
}

/// The HTTP status of one of Google's words for a status, which may come without it.
fn http_status_of(word: &str) -> Option<u16> {
    Some(match word {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "NOT_FOUND" => 404,
        "ABORTED" | "ALREADY_EXISTS" => 409,
        "RESOURCE_EXHAUSTED" => 429,
        "INTERNAL" | "DATA_LOSS" | "UNKNOWN" => 500,
        "UNIMPLEMENTED" => 501,
        "UNAVAILABLE" => 503,
        "DEADLINE_EXCEEDED" => 504,
        _ => return None,
    })
}

/// What decides the class of an error before its status does: parts of the provider's code,
/// and of its message where no code tells; in lower case. The first row that fits counts.
const WORDS: &[(ErrorKind, &[&str], &[&str])] = &[
    (
        ErrorKind::ContextLength,
        &["context_length", "context_window", "exceed_context_size", "contextwindowexceeded"],
        &[
            "maximum context",
            "context length",
            "context size",
            "context window",
            "context limit",
            // LiteLLM
            "contextwindowexceeded",
            // Anthropic
            "prompt is too long",
            // Bedrock
            "input is too long",
            // Gemini
            "exceeds the maximum number of tokens",
            // xAI
            "maximum prompt length",
            // vLLM
            "maximum model length",
            // TGI
            "`inputs` tokens + `max_new_tokens` must be",
            // Cohere
            "total number of tokens in the prompt",
        ],
    ),
    (
        ErrorKind::Quota,
        &[
            "insufficient_quota",
            "exceeded_current_quota",
            "insufficient_balance",
            "insufficient_credit",
            "spend_limit",
            "billing",
            "payment_required",
        ],
        &[
            "exceeded your current quota",
            "insufficient balance",
            "insufficient credit",
            // Anthropic
            "credit balance is too low",
            // xAI
            "used all available credits",
            // Zhipu
            "余额不足",
        ],
    ),
    (
        ErrorKind::Blocked,
        // OpenAI has several codes such as bio_policy and content_policy_violation.
        &["content_filter", "_policy", "contentpolicy", "responsibleai"],
        &["contentpolicyviolation"],
    ),
    (
        ErrorKind::NotFound,
        &["model_not_found", "unknown_model", "invalid_model"],
        &[
            // LiteLLM
            "invalid model name passed",
            // OpenRouter
            "is not a valid model id",
            // DeepSeek
            "model not exist",
        ],
    ),
    (ErrorKind::Auth, &["invalid_api_key", "api_key_invalid"], &["api key not valid"]),
];

fn class(status: u16, said: &Said) -> ErrorKind {
    let codes = said.codes.join(" ").to_lowercase();
    let message = said.message.to_lowercase();
    let code_has = |words: &[&str]| words.iter().any(|word| codes.contains(word));
    let message_has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let known = WORDS.iter().find(|(_, codes, words)| code_has(codes) || message_has(words));
    match known {
        // Google calls a limit per minute a quota too, and then says when to come again.
        Some((ErrorKind::Quota, codes, _)) if !code_has(codes) && said.retry_after.is_some() => {}
        Some((kind, ..)) => return *kind,
        None => {}
    }
    match status {
        401 | 403 | 407 => ErrorKind::Auth,
        402 => ErrorKind::Quota,
        404 | 410 => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited,
        400 | 405 | 406 | 411..=415 | 422 | 431 => ErrorKind::BadRequest,
        408 | 409 | 425 | 500.. => ErrorKind::Server,
        _ if code_has(&["rate_limit", "too_many_requests", "resource_exhausted", "throttl"]) => {
            ErrorKind::RateLimited
        }
        _ if code_has(&[
            "overloaded",
            "server_error",
            // Anthropic
            "api_error",
            "conflict_error",
            "internal",
            "unavailable",
            "timeout",
            "deadline_exceeded",
        ]) =>
        {
            ErrorKind::Server
        }
        _ if code_has(&["auth", "permission", "forbidden"]) => ErrorKind::Auth,
        _ if code_has(&["not_found"]) => ErrorKind::NotFound,
        // OpenAI: image_too_large, empty_image_file, failed_to_download_image, ...
        _ if code_has(&[
            "invalid",
            "bad_request",
            "validation",
            "too_large",
            "image_",
            "_image",
        ]) =>
        {
            ErrorKind::BadRequest
        }
        _ => ErrorKind::Provider,
    }
}

fn is_page(text: &str) -> bool {
    begins_page(text) == Some(true)
}

/// Whether a text that begins so is a web page; `None` while there is too little of it.
pub(crate) fn begins_page(start: &str) -> Option<bool> {
    const MARKS: [&str; 4] = ["<!doctype", "<html", "<head>", "<head "];
    /// Pages have it near their start.
    const NEAR: usize = 64;
    let near: Vec<char> = start.chars().take(NEAR).collect();
    let text: String = near.iter().collect();
    let text = text.trim_start().to_ascii_lowercase();
    if MARKS.iter().any(|mark| text.starts_with(mark)) {
        return Some(true);
    }
    let may_come = near.len() < NEAR && MARKS.iter().any(|mark| mark.starts_with(&text));
    (!may_come).then_some(false)
}

/// What kind of page this is: bot protection says so in known marks.
fn of_page(page: &str) -> (Option<ErrorKind>, String) {
    const CLOUDFLARE: &[&str] = &[
        "Generated by cloudfront",
        "<p id=\"cf-spinner-please-wait\">",
        "<title>Attention Required! | Cloudflare</title>",
        "id=\"cf-cloudflare-status\"",
        "<div id=\"cf-please-wait\">",
        "<title>Just a moment...</title>",
    ];
    const CHALLENGES: &[&str] = &[
        "<p>Unable to load site</p>",
        "id=\"challenge-error-text\"",
        "recaptcha validation failed",
    ];
    let has = |marks: &[&str]| marks.iter().any(|mark| page.contains(mark));
    if has(CLOUDFLARE) {
        return (Some(ErrorKind::Blocked), "a bot-protection page of Cloudflare".to_owned());
    }
    if has(CHALLENGES) {
        return (Some(ErrorKind::Blocked), "a bot-protection page".to_owned());
    }
    let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    match title {
        Some((title, _)) => (None, format!("a web page ({})", excerpt(title))),
        None => (None, "a web page".to_owned()),
    }
}

/// The start of a text, on one line.
pub(crate) fn excerpt(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.len() + word.len() > EXCERPT {
            line.push_str(" ...");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// The provider's id of the request, whichever header it stands in.
pub(crate) fn request_id(headers: &Headers) -> String {
    const NAMES: &[&str] = &[
        "x-request-id",
        "request-id",
        "apim-request-id",
        "x-ms-request-id",
        "x-amzn-requestid",
        "cf-ray",
    ];
    NAMES.iter().find_map(|name| headers.get(name)).unwrap_or_default().to_owned()
}

/// `retry-after-ms`, else `retry-after` in seconds or as a date.
fn retry_after(headers: &Headers) -> Option<Duration> {
    if let Some(ms) = headers.get("retry-after-ms").and_then(|ms| ms.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let after = headers.get("retry-after")?.trim();
    seconds(after).or_else(|| {
        let date = httpdate::parse_http_date(after).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    })
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.set(name, value).unwrap();
        }
        headers
    }

    #[test]
    fn nulls_and_empties_are_no_error() {
        for body in [
            json!({"error": null}),
            json!({"error": ""}),
            json!({"error": false}),
            json!({"error": {}}),
            json!({"base_resp": {"status_code": 0, "status_msg": "success"}}),
            json!([]),
            json!(7),
        ] {
            assert!(in_event("h", &body).is_none(), "{body}");
        }
    }

    #[test]
    fn refusal_that_comes_as_an_event_is_read() {
        let body = "data: {\"error\": {\"message\": \"no\", \"type\": \"invalid_request_error\", \
                    \"code\": \"unknown_field\"}}\n\ndata: [DONE]\n\n";
        let error = of_response("h", 400, &headers(&[]), body.as_bytes());
        assert_eq!(error.message(), "h answered 400: no");
        assert_eq!(error.provider_code(), "unknown_field");
    }

    #[test]
    fn errors_in_events_of_every_shape_are_seen_and_classed() {
        for (body, kind, message) in [
            (json!({"error_message": "no"}), ErrorKind::Provider, "no"),
            (json!({"error": "model busy"}), ErrorKind::Provider, "model busy"),
            (
                json!({"error": {"message": "slow down", "code": 429}}),
                ErrorKind::RateLimited,
                "slow down",
            ),
            (
                json!({"error": {"type": "overloaded_error", "message": "busy"}}),
                ErrorKind::Server,
                "busy",
            ),
            (json!({"error": {"msg": "m"}}), ErrorKind::Provider, "m"),
            (
                json!({"error": {"code": "context_length_exceeded", "message": "m"}}),
                ErrorKind::ContextLength,
                "m",
            ),
            (json!([{"error": {"code": 401, "message": "m"}}]), ErrorKind::Auth, "m"),
            (
                json!({"base_resp": {"status_code": 1004, "status_msg": "login"}}),
                ErrorKind::Provider,
                "login",
            ),
            (json!({"base_resp": {"status_code": 0}, "error": "m"}), ErrorKind::Provider, "m"),
            (
                json!({"object": "error", "message": "m", "type": "invalid_request"}),
                ErrorKind::BadRequest,
                "m",
            ),
        ] {
            let error = in_event("h", &body).unwrap();
            assert_eq!(error.kind(), kind, "{body}");
            assert!(error.message().ends_with(&format!(": {message}")), "{}", error.message());
        }
    }

    #[test]
    fn every_mark_of_bot_protection_is_known() {
        for mark in [
            "Generated by cloudfront",
            "<p id=\"cf-spinner-please-wait\">",
            "<title>Attention Required! | Cloudflare</title>",
            "id=\"cf-cloudflare-status\"",
            "<div id=\"cf-please-wait\">",
            "<title>Just a moment...</title>",
            "<p>Unable to load site</p>",
            "id=\"challenge-error-text\"",
        ] {
            let page = format!("<!DOCTYPE html><html>{mark}</html>");
            let error = of_response("h", 403, &Headers::default(), page.as_bytes());
            assert_eq!(error.kind(), ErrorKind::Blocked, "{mark}");
        }
    }

    #[test]
    fn strange_bodies_of_errors_are_read() {
        let said = |body: Value| in_event("h", &body).map(|error| error.message().to_owned());
        let failed = json!({"error": {"message": "m", "code": "c", "failed_generation": "<f>"}});
        assert_eq!(said(failed).unwrap(), "h ended the answer with an error: m (<f>)");
        assert_eq!(
            said(json!({"error": true, "message": "m"})).unwrap(),
            "h ended the answer with an error: m"
        );
        let detail = of_response("h", 422, &Headers::default(), b"{\"detail\":[{\"msg\":\"m\"}]}");
        assert!(detail.message().contains("\"msg\":\"m\""), "{}", detail.message());
    }

    #[test]
    fn statuses_and_bodies_make_the_class() {
        for (status, body, kind) in [
            (
                400,
                "{\"error\":{\"message\":\"API key not valid. Please pass one\"}}",
                ErrorKind::Auth,
            ),
            (
                400,
                "{\"message\":\"This model's maximum context length is 8\"}",
                ErrorKind::ContextLength,
            ),
            (401, "", ErrorKind::Auth),
            (402, "{\"error\":{\"message\":\"pay\"}}", ErrorKind::Quota),
            (403, "<html><title>Just a moment...</title>", ErrorKind::Blocked),
            (403, "{\"detail\":\"no\"}", ErrorKind::Auth),
            (403, "{\"error\":\"recaptcha validation failed\"}", ErrorKind::Blocked),
            (403, "<!-- --><p id=\"cf-spinner-please-wait\">", ErrorKind::Blocked),
            (404, "{\"status\":404,\"message\":\"No such model\"}", ErrorKind::NotFound),
            (413, "", ErrorKind::BadRequest),
            (429, "{\"error\":{\"code\":\"insufficient_quota\"}}", ErrorKind::Quota),
            (429, "slow", ErrorKind::RateLimited),
            (502, "<!DOCTYPE html><title>Bad Gateway</title>", ErrorKind::Server),
            (520, "<html></html>", ErrorKind::Server),
            (418, "{}", ErrorKind::Provider),
        ] {
            let error = of_response("h", status, &Headers::default(), body.as_bytes());
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert_eq!(error.http_status(), Some(status));
        }
    }

    #[test]
    fn words_of_providers_make_the_class_where_their_status_says_less() {
        use ErrorKind::{Auth, BadRequest, ContextLength, NotFound, Quota, RateLimited, Server};
        let quota = "You exceeded your current quota, please check your plan";
        for (status, error, kind) in [
            (
                400,
                json!({"message": "litellm.ContextWindowExceededError: m", "code": "400"}),
                ContextLength,
            ),
            (400, json!({"message": "m", "type": "ContextWindowExceededError"}), ContextLength),
            (
                400,
                json!({"message": "Your input exceeds the context window of this model."}),
                ContextLength,
            ),
            (
                400,
                json!({"message": "input length and `max_tokens` exceed context limit: 9 > 8"}),
                ContextLength,
            ),
            (
                400,
                json!({"message": "The input token count (9) exceeds the maximum number of tokens allowed (8).", "status": "INVALID_ARGUMENT"}),
                ContextLength,
            ),
            (400, json!({"message": "Input is too long for requested model."}), ContextLength),
            (
                400,
                json!({"message": "This model's maximum prompt length is 8 but the request has 9"}),
                ContextLength,
            ),
            (
                400,
                json!({"message": "The decoder prompt (length 9) is longer than the maximum model length of 8"}),
                ContextLength,
            ),
            (
                422,
                json!("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8"),
                ContextLength,
            ),
            (
                400,
                json!({"message": "too many tokens: total number of tokens in the prompt cannot exceed 8"}),
                ContextLength,
            ),
            (
                500,
                json!({"message": "Requested tokens (9) exceed context window of 8"}),
                ContextLength,
            ),
            (429, json!({"message": quota}), Quota),
            (429, json!({"message": "m", "type": "exceeded_current_quota_error"}), Quota),
            (400, json!({"message": "Your credit balance is too low to access the API"}), Quota),
            (
                403,
                json!({"message": "Your team has either used all available credits or so"}),
                Quota,
            ),
            (429, json!({"message": "余额不足或无可用资源包,请充值。", "code": "1113"}), Quota),
            (
                429,
                json!({"type": "rate_limit_error", "message": "m", "details": {"code": "enforced_spend_limit_reached"}}),
                Quota,
            ),
            (
                429,
                json!({"type": "rate_limit_error", "message": "m", "details": "contract_spend_limit_reached"}),
                Quota,
            ),
            // Google says of a limit per minute that it is a quota, and when to come again.
            (
                429,
                json!({"message": quota, "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "34s"}]}),
                RateLimited,
            ),
            (400, json!({"message": "m", "details": [{"reason": "API_KEY_INVALID"}]}), Auth),
            (400, json!({"message": "Invalid model name passed in model=m"}), NotFound),
            (400, json!({"message": "m/m is not a valid model ID"}), NotFound),
            (400, json!({"message": "Model Not Exist"}), NotFound),
            (400, json!({"message": "m", "code": "unknown_model"}), NotFound),
            (412, json!({"message": "m"}), BadRequest),
            // In a stream there is no status but that of the error itself.
            (0, json!({"message": "litellm.RateLimitError: m", "code": "429"}), RateLimited),
            (0, json!({"message": "litellm.NotFoundError: m", "code": "404"}), NotFound),
            (0, json!({"message": "m", "status": "RESOURCE_EXHAUSTED"}), RateLimited),
            (0, json!({"message": "m", "status": "DEADLINE_EXCEEDED"}), Server),
            (0, json!({"message": "m", "status": "UNAVAILABLE"}), Server),
            (0, json!({"message": "m", "status": "INVALID_ARGUMENT"}), BadRequest),
            (0, json!({"message": "m", "status": "UNAUTHENTICATED"}), Auth),
            (0, json!({"message": quota}), Quota),
            // Anthropic's, each by its type.
            (0, json!({"type": "invalid_request_error", "message": "m"}), BadRequest),
            (0, json!({"type": "request_too_large", "message": "m"}), BadRequest),
            (0, json!({"type": "authentication_error", "message": "m"}), Auth),
            (0, json!({"type": "permission_error", "message": "m"}), Auth),
            (0, json!({"type": "billing_error", "message": "m"}), Quota),
            (0, json!({"type": "not_found_error", "message": "m"}), NotFound),
            (0, json!({"type": "conflict_error", "message": "m"}), Server),
            (0, json!({"type": "rate_limit_error", "message": "m"}), RateLimited),
            (0, json!({"type": "timeout_error", "message": "m"}), Server),
            (0, json!({"type": "overloaded_error", "message": "m"}), Server),
            (0, json!({"type": "api_error", "message": "m"}), Server),
            (
                0,
                json!({"type": "rate_limit_error", "message": "m", "details": {"error_code": "contract_spend_limit_reached"}}),
                Quota,
            ),
        ] {
            let body = json!({"error": error});
            let error = match status {
                0 => in_event("h", &body).unwrap(),
                _ => of_response("h", status, &Headers::default(), body.to_string().as_bytes()),
            };
            assert_eq!(error.kind(), kind, "{status} {body}");
        }
    }

    #[test]
    fn details_of_a_refusal_are_kept() {
        let headers = headers(&[("Retry-After", "7"), ("X-Request-Id", "r-1")]);
        let body = b"{\"error\":{\"message\":\"m\",\"code\":\"c\",\"type\":\"t\"}}";
        let error = of_response("api.example.org", 429, &headers, body);
        assert_eq!(error.message(), "api.example.org answered 429: m");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!((error.provider_code(), &*request_id(&headers)), ("c", "r-1"));
        assert_eq!(error.body().as_bytes(), body);
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        let after = |name, value| retry_after(&headers(&[(name, value)]));
        assert_eq!(after("retry-after-ms", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(after("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(after("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(after("retry-after", "-3"), None);
        assert_eq!(after("retry-after", "soon"), None);
    }
}
