//! Web chats: services of a web page, asked as their page asks them.

pub(super) mod ai365vip;
pub(super) mod aichats;
pub(super) mod amigochat;
