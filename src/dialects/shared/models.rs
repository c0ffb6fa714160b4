//! The list of models in OpenAI's form, which most of its imitators have.

use crate::attempt::Attempt;
use crate::error::Result;
use crate::http::{Headers, HttpRequest};
use crate::model::Model;

/// Asks for the list at `url`.
pub(crate) fn list(url: &str, headers: Headers, attempt: &mut Attempt<'_>) -> Result<Vec<Model>> {
    let response = attempt.send(HttpRequest::get(url, headers))?;
    let list = attempt.aside(response)?;
    let entries = list.get("data").or_else(|| list.get("models")).unwrap_or(&list);
    let Some(entries) = entries.as_array() else {
        return Err(attempt.protocol_error("answered with no list of models"));
    };
    Ok(entries.iter().filter_map(Model::from_entry).collect())
}
