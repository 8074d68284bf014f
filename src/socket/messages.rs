//! Events about messages.

use super::event::{Context, Entry, Event};
use crate::chat::messages::{Target, post};
use crate::error::Result;
use crate::types::{RoomName, Sent};

pub const EVENTS: &[Entry] = &[Entry::of::<SendPublicMessage>(), Entry::of::<SendGroupMessage>()];

/// The payload of an event that says something: fields of its own, and those that all of them have. By a macro, since
/// serde's `flatten` would not tell which field is wrong.
macro_rules! saying {
    (struct $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        #[derive(serde::Deserialize, schemars::JsonSchema)]
        struct $name {
            $($field: $type,)*
            /// May be missing where there are attachments.
            #[serde(default, deserialize_with = "crate::types::falsy_as_none")]
            message: Option<crate::types::MessageText>,
            /// What the sender's page made of the text for other pages; opaque to the server.
            #[serde(default, deserialize_with = "crate::types::falsy_as_none")]
            encrypted_content: Option<String>,
            /// Sent again under the same id, the message is not stored again.
            #[serde(default, deserialize_with = "crate::types::falsy_as_none")]
            client_id: Option<crate::types::ClientId>,
            /// The message of the same room that it answers.
            #[serde(default, deserialize_with = "crate::types::falsy_as_none")]
            reply_to: Option<crate::types::MessageId>,
            /// Files that were uploaded for it.
            #[serde(default, deserialize_with = "crate::types::falsy_as_none")]
            attachments: Option<Vec<crate::types::AttachmentId>>,
        }

        impl $name {
            /// Its own fields, and what is to be said.
            fn split(self) -> crate::error::Result<(($($type,)*), crate::chat::messages::Draft)> {
                let attachments = self.attachments.unwrap_or_default();
                if self.message.is_none() && attachments.is_empty() {
                    return Err(crate::error::Error::invalid("message", "message must not be empty"));
                }
                let draft = crate::chat::messages::Draft {
                    text: self.message,
                    encrypted_content: self.encrypted_content.unwrap_or_default(),
                    client_id: self.client_id,
                    reply_to: self.reply_to,
                    attachments,
                };
                Ok((($(self.$field,)*), draft))
            }
        }
    };
}

pub(super) use saying;

saying!(
    struct SendPublicMessage {}
);

impl Event for SendPublicMessage {
    const NAME: &'static str = "send_public_message";
    const ABOUT: &'static str = "Says something in the public room.";
    type Ack = Sent;

    async fn handle(self, context: &mut Context<'_>) -> Result<Sent> {
        let ((), draft) = self.split()?;
        post(context.app, context.actor()?, Target::Public, draft).await
    }
}

saying!(
    struct SendGroupMessage {
        group_name: RoomName,
    }
);

impl Event for SendGroupMessage {
    const NAME: &'static str = "send_group_message";
    const ABOUT: &'static str = "Says something in a group.";
    type Ack = Sent;

    async fn handle(self, context: &mut Context<'_>) -> Result<Sent> {
        let ((group,), draft) = self.split()?;
        post(context.app, context.actor()?, Target::Group(group), draft).await
    }

    fn refusal(field: &str) -> Option<&'static str> {
        (field == "group_name").then_some("Group does not exist")
    }
}
