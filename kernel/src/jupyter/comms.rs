use std::collections::HashMap;
use std::sync::Arc;

use jupyter_protocol::{
    CommClose, CommId, CommInfo, CommInfoReply, CommMsg, CommOpen, Header, JupyterMessage,
    JupyterMessageContent,
};
use parking_lot::{Mutex, MutexGuard};
use partita_bridge::{Comm, CommAction};
use serde_json::{Map, Value};

/// How many comms a front end may have open at once.
const MAX_OPEN: usize = 4096;

/// The target of widgets.
const WIDGETS: &str = "jupyter.widget";

/// The open comms, by id. The cells and the front end's code know what they are for; this module only
/// knows where they lead.
#[derive(Clone, Default)]
pub struct Comms {
    /// Held while a message is passed on: a message that follows the opening of its comm through another
    /// task must not overtake it.
    passing: Arc<Mutex<()>>,
    open: Arc<Mutex<HashMap<String, Open>>>,
}

struct Open {
    target: String,
    /// The header of the front end's last message on it.
    last_header: Option<Header>,
    /// The header of the front end's request for the state, until it is answered.
    state_request: Option<Header>,
}

impl Open {
    fn to(target: &str) -> Self {
        Self { target: target.to_owned(), last_header: None, state_request: None }
    }
}

impl Comms {
    /// The open comms, limited to those of `target` if one is given.
    pub fn info(&self, target: Option<&str>) -> CommInfoReply {
        let open = self.lock();
        let wanted = open.iter().filter(|(_, open)| target.is_none_or(|target| target == open.target));
        let comms = wanted
            .map(|(id, open)| (CommId(id.clone()), CommInfo { target_name: open.target.clone() }))
            .collect();
        CommInfoReply { comms, ..CommInfoReply::default() }
    }

    /// Records what a front end's message opens or closes, and calls `send` with the message for the
    /// evaluation process. Returns whether there was one and it was sent. Messages keep their order.
    pub fn pass_on(&self, request: &JupyterMessage, send: impl FnOnce(Comm) -> bool) -> bool {
        let _in_turn = self.passing.lock();
        self.incoming(request).is_some_and(send)
    }

    /// Records what a front end's message opens or closes, and returns the message for the evaluation
    /// process. `None` if it is not a comm message, or if its comm is not open.
    fn incoming(&self, request: &JupyterMessage) -> Option<Comm> {
        let mut open = self.lock();
        let (id, action, data) = match &request.content {
            JupyterMessageContent::CommOpen(CommOpen { comm_id, target_name, data, .. }) => {
                if open.len() >= MAX_OPEN {
                    return None;
                }
                open.insert(comm_id.0.clone(), Open::to(target_name));
                (comm_id, CommAction::Open { target: target_name.clone() }, data)
            }
            JupyterMessageContent::CommMsg(CommMsg { comm_id, data }) => {
                let comm = open.get_mut(&comm_id.0)?;
                comm.last_header = Some(request.header.clone());
                if method(data) == Some("request_state") {
                    comm.state_request = comm.last_header.clone();
                }
                (comm_id, CommAction::Message, data)
            }
            JupyterMessageContent::CommClose(CommClose { comm_id, data }) => {
                open.remove(&comm_id.0)?;
                (comm_id, CommAction::Close, data)
            }
            _ => return None,
        };
        Some(Comm {
            id: id.0.clone(),
            action,
            data: Value::Object(data.clone()).to_string(),
            metadata: request.metadata.to_string(),
            buffers: request.buffers.iter().map(|buffer| buffer.to_vec()).collect(),
        })
    }

    /// Records what a message of the evaluation process opens or closes, and returns the message for the
    /// front end.
    pub fn outgoing(&self, comm: Comm, parent: Option<&JupyterMessage>) -> JupyterMessage {
        let Comm { id, action, data, metadata, buffers } = comm;
        let (comm_id, data) = (CommId(id.clone()), object(&data));
        // The parent message distinguishes a widget's echo, and its answer to a request for its state,
        // from other updates.
        let last_header = match method(&data) {
            Some("echo_update") => self.lock().get(&id).and_then(|open| open.last_header.clone()),
            Some("update") => self.lock().get_mut(&id).and_then(|open| open.state_request.take()),
            _ => None,
        };
        let content: JupyterMessageContent = match action {
            CommAction::Open { target } => {
                self.lock().insert(id, Open::to(&target));
                CommOpen { comm_id, target_name: target, data, target_module: None }.into()
            }
            CommAction::Message => CommMsg { comm_id, data }.into(),
            CommAction::Close => {
                self.lock().remove(&id);
                CommClose { comm_id, data }.into()
            }
        };
        let mut message = JupyterMessage::new(content, parent)
            .with_metadata(Value::Object(object(&metadata)))
            .with_buffers(buffers.into_iter().map(Into::into).collect());
        if last_header.is_some() {
            message.parent_header = last_header;
        }
        message
    }

    /// Closes everything here, and returns the messages about it for the front end. Widgets get a message
    /// but are not closed: the page would remove them and what they show.
    pub fn close_all(&self) -> Vec<JupyterMessageContent> {
        let ended = std::mem::take(&mut *self.lock()).into_iter().map(|(id, open)| {
            let comm_id = CommId(id);
            if open.target == WIDGETS {
                let data = object(r#"{"method": "custom", "content": {"gone": true}}"#);
                CommMsg { comm_id, data }.into()
            } else {
                CommClose { comm_id, data: Map::new() }.into()
            }
        });
        ended.collect()
    }

    /// Forgets a comm, and makes the message that closes it at the front end.
    pub fn close(&self, id: &CommId) -> CommClose {
        self.lock().remove(&id.0);
        CommClose { comm_id: id.clone(), data: Map::new() }
    }

    /// Whether a message belongs to an open comm.
    pub fn has(&self, request: &JupyterMessage) -> bool {
        match &request.content {
            JupyterMessageContent::CommMsg(CommMsg { comm_id, .. })
            | JupyterMessageContent::CommClose(CommClose { comm_id, .. }) => {
                self.lock().contains_key(&comm_id.0)
            }
            _ => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open.lock()
    }
}

/// The `method` of a widget's message.
fn method(data: &Map<String, Value>) -> Option<&str> {
    data.get("method").and_then(Value::as_str)
}

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn open(id: &str, target: &str) -> JupyterMessage {
        let open = CommOpen {
            comm_id: CommId(id.into()),
            target_name: target.into(),
            data: object(r#"{"a": 1}"#),
            target_module: None,
        };
        JupyterMessage::from(open)
            .with_metadata(json!({"version": "2.1.0"}))
            .with_buffers(vec![vec![0, 255].into()])
    }

    #[test]
    fn data_metadata_and_buffers_go_both_ways_unchanged() {
        let comms = Comms::default();
        let comm = comms.incoming(&open("1", "t")).unwrap();
        assert_eq!(comm.action, CommAction::Open { target: "t".into() });
        let message = comms.outgoing(Comm { action: CommAction::Message, ..comm }, None);
        assert_eq!(
            serde_json::to_value(&message.content).unwrap(),
            json!({"comm_id": "1", "data": {"a": 1}})
        );
        assert_eq!(message.metadata, json!({"version": "2.1.0"}));
        assert_eq!(message.buffers, [vec![0, 255]]);
    }

    #[test]
    fn the_info_lists_what_is_open_by_target() {
        let comms = Comms::default();
        for (id, target) in [("1", "a"), ("2", "b"), ("3", "a")] {
            comms.incoming(&open(id, target)).unwrap();
        }
        assert_eq!((comms.info(None).comms.len(), comms.info(Some("a")).comms.len()), (3, 2));
        let close = JupyterMessage::from(CommClose { comm_id: CommId("1".into()), data: Map::new() });
        assert!(comms.incoming(&close).is_some());
        assert!(comms.incoming(&close).is_none(), "it is closed already");
        assert_eq!(comms.info(Some("a")).comms.len(), 1);
        assert_eq!(comms.close_all().len(), 2);
        assert!(comms.info(None).comms.is_empty());
    }

    #[test]
    fn widgets_outlive_the_process_that_made_them_and_know_that_it_is_gone() {
        let comms = Comms::default();
        comms.incoming(&open("1", "jupyter.widget")).unwrap();
        comms.incoming(&open("2", "t")).unwrap();
        let mut told: Vec<_> =
            comms.close_all().iter().map(|said| serde_json::to_value(said).unwrap()).collect();
        told.sort_by_key(|said| said["comm_id"].as_str().unwrap().to_owned());
        assert_eq!(told[0]["data"], json!({"method": "custom", "content": {"gone": true}}));
        assert_eq!(told[1], json!({"comm_id": "2", "data": {}}));
    }

    #[test]
    fn an_echo_and_an_answer_name_the_message_that_led_to_them() {
        let comms = Comms::default();
        let comm = comms.incoming(&open("1", "jupyter.widget")).unwrap();
        let say = |data: &str| {
            let said = JupyterMessage::from(CommMsg { comm_id: CommId("1".into()), data: object(data) });
            comms.incoming(&said).unwrap();
            said
        };
        let said = say("{}");
        let cell = open("cell", "t");
        let told = |method: &str| {
            let data = json!({"method": method, "state": {}}).to_string();
            let comm = Comm { action: CommAction::Message, data, ..comm.clone() };
            comms.outgoing(comm, Some(&cell)).parent_header.unwrap().msg_id
        };
        assert_eq!(told("echo_update"), said.header.msg_id);
        assert_eq!(told("update"), cell.header.msg_id);
        let asked = say(r#"{"method": "request_state"}"#);
        assert_eq!(told("update"), asked.header.msg_id);
        assert_eq!(told("update"), cell.header.msg_id, "asked once, answered once");
    }

    #[test]
    fn a_front_end_cannot_open_comms_without_end() {
        let comms = Comms::default();
        for number in 0..MAX_OPEN {
            assert!(comms.incoming(&open(&number.to_string(), "t")).is_some());
        }
        assert!(comms.incoming(&open("more", "t")).is_none());
    }
}
