//! What several dialects share; it uses none of them.

pub(super) mod asked;
pub(super) mod chat;
pub(super) mod embeddings;
pub(super) mod families;
pub(super) mod images;
pub(super) mod models;
pub(super) mod tags;
pub(super) mod web;
