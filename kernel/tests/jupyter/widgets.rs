//! The timeline under a cell that runs a job, as a front end's widget manager gets it.

use jupyter_protocol::{CommId, CommOpen, ExecuteRequest, JupyterMessageContent as Content, ReplyStatus};
use serde_json::{Value, json};

use crate::client::{Kernel, streams};

const VIEW: &str = "application/vnd.jupyter.widget-view+json";
const SESSION: &str = "let session = Session::embedded(2)?;";
/// Long enough to be shown.
const LONG: &str =
    "session.range(0, 30_000_000, 4).group_by([col(\"id\") % lit(97)]).agg([col(\"id\").sum()]).count()?";
const SHORT: &str = "session.range(0, 10, 1).count()?";

/// What a widget manager does with the messages of one cell.
#[derive(Default)]
pub struct Seen {
    /// Models by id, with their state.
    pub models: Vec<(String, Value)>,
    /// Custom messages: the model's id and the content.
    pub told: Vec<(String, Value)>,
    /// Displays, and updates of displays.
    pub displays: Vec<Value>,
    pub updates: Vec<Value>,
}

impl Seen {
    pub fn of(outputs: &[Content]) -> Self {
        let mut seen = Self::default();
        for content in outputs {
            match content {
                Content::CommOpen(open) if open.target_name == "jupyter.widget" => {
                    seen.models.push((open.comm_id.0.clone(), open.data["state"].clone()));
                }
                Content::CommMsg(said) if said.data["method"] == "custom" => {
                    seen.told.push((said.comm_id.0.clone(), said.data["content"].clone()));
                }
                Content::DisplayData(display) => {
                    seen.displays.push(serde_json::to_value(&display.data).unwrap());
                }
                Content::UpdateDisplayData(update) => {
                    seen.updates.push(serde_json::to_value(&update.data).unwrap());
                }
                _ => {}
            }
        }
        seen
    }

    pub fn model(&self, module: &str) -> (&str, &Value) {
        let of = |(_, state): &&(String, Value)| state["_model_module"] == module;
        let (id, state) = self.models.iter().find(of).unwrap_or_else(|| panic!("no model of {module}"));
        (id, state)
    }
}

/// The kinds of events in batches, with how often each is there.
fn counted(batches: &Value) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    let rows = batches.as_array().into_iter().flatten().flat_map(|batch| batch[2].as_array().unwrap());
    for row in rows {
        let kind = match row {
            Value::Array(numbers) if numbers[0] == 0 => "TaskStarted".to_owned(),
            Value::Array(_) => "TaskFinished".to_owned(),
            event => event.as_object().unwrap().keys().next().unwrap().clone(),
        };
        match counts.iter_mut().find(|(of, _)| *of == kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((kind, 1)),
        }
    }
    counts.sort();
    counts
}

impl Kernel {
    /// Runs a cell for a person with a page.
    pub async fn watched(&mut self, code: &str) -> (ReplyStatus, Seen, Vec<Content>) {
        let request = ExecuteRequest { allow_stdin: true, ..ExecuteRequest::new(code.into()) };
        let (reply, outputs) = self.execute(request).await;
        assert!(reply.error.is_none(), "{code}: {:?}", reply.error);
        (reply.status, Seen::of(&outputs), outputs)
    }

    /// What a page that comes later is told of all models.
    pub async fn states(&mut self) -> Value {
        let id = CommId(format!("control-{}", rand_id()));
        self.send(CommOpen {
            comm_id: id.clone(),
            target_name: "jupyter.widget.control".into(),
            data: serde_json::Map::new(),
            target_module: None,
        })
        .await;
        self.say(&id, json!({"method": "request_states"})).await;
        let message = self
            .publishes(
                "the states",
                |content| matches!(content, Content::CommMsg(said) if said.comm_id == id),
            )
            .await;
        let Content::CommMsg(said) = message.content else { unreachable!() };
        assert_eq!(said.data["method"], "update_states");
        assert_eq!(said.data["buffer_paths"], json!([]));
        said.data["states"].clone()
    }

    /// Says something on a comm.
    pub async fn say(&mut self, id: &CommId, data: Value) {
        let Value::Object(data) = data else { panic!("an object") };
        self.send(jupyter_protocol::CommMsg { comm_id: id.clone(), data }).await;
    }
}

fn rand_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[tokio::test]
async fn a_cell_that_runs_a_job_gets_a_timeline_without_asking_and_a_picture_that_stays() {
    let mut kernel = Kernel::start().await;
    kernel.watched(SESSION).await;
    let (_, seen, _) = kernel.watched(LONG).await;
    let (library, modules) = seen.model("@jupyter-widgets/base");
    assert!(modules["modules"].as_array().unwrap().len() > 5);
    let (id, state) = seen.model("anywidget");
    assert!(state["_esm"].as_str().unwrap().contains(library), "it says where its modules are");
    assert_eq!(seen.models.len(), 2);

    let [display] = &seen.displays[..] else { panic!("{:?}", seen.displays) };
    assert_eq!(display[VIEW]["model_id"], id);
    assert!(display["text/plain"].as_str().unwrap().contains("Running"), "{display}");

    // Every message is numbered, and together with the first state they are the job.
    let numbers: Vec<u64> = seen.told.iter().map(|(_, told)| told["number"].as_u64().unwrap()).collect();
    let first = state["state"]["number"].as_u64().unwrap();
    assert_eq!(numbers, (first + 1..=first + numbers.len() as u64).collect::<Vec<_>>());
    let (_, last) = seen.told.last().unwrap();
    assert_eq!(last["ended"], true);
    assert!(seen.told.iter().any(|(_, told)| counted(&told["batches"]).contains(&("JobFinished".into(), 1))));

    let [update] = &seen.updates[..] else { panic!("{:?}", seen.updates) };
    assert_eq!(update[VIEW]["model_id"], id);
    assert!(update["text/plain"].as_str().unwrap().contains("Done in"), "{update}");
    let svg = update["image/svg+xml"].as_str().unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("slot 1") && svg.contains("group_by"), "{svg}");

    // The modules travel once.
    let (_, seen, _) = kernel.watched(LONG).await;
    assert_eq!(seen.models.len(), 1);
}

#[tokio::test]
async fn a_page_that_comes_later_is_told_the_state_as_it_is_and_one_that_missed_a_message_everything() {
    let mut kernel = Kernel::start().await;
    kernel.watched(SESSION).await;
    let (_, seen, _) = kernel.watched(LONG).await;
    let (id, _) = seen.model("anywidget");
    let states = kernel.states().await;
    assert_eq!(states.as_object().unwrap().len(), 2, "the modules and the timeline");
    let told = &states[id];
    assert_eq!((&told["model_name"], &told["model_module"]), (&json!("AnyModel"), &json!("anywidget")));
    let state = &told["state"]["state"];
    assert_eq!((&state["whole"], &state["ended"]), (&json!(true), &json!(true)));
    let counts = counted(&state["batches"]);
    let (stages, tasks) = (2, 4 + 2);
    assert!(counts.contains(&("TaskFinished".into(), tasks)), "{counts:?}");
    assert!(counts.contains(&("StageFinished".into(), stages)), "{counts:?}");
    assert!(!counts.iter().any(|(kind, _)| kind == "TaskStarted"), "ends say when tasks began: {counts:?}");

    let comm = CommId(id.to_owned());
    kernel.say(&comm, json!({"method": "custom", "content": {"heard": 0}})).await;
    let said = kernel.answer_on(&comm).await;
    assert_eq!(said["batches"], state["batches"]);
    kernel.say(&comm, json!({"method": "custom", "content": {"heard": said["number"]}})).await;
    assert_eq!(kernel.answer_on(&comm).await.get("batches"), None, "nothing was missed");
}

impl Kernel {
    async fn answer_on(&mut self, id: &CommId) -> Value {
        let message = self
            .publishes(
                "an answer",
                |content| matches!(content, Content::CommMsg(said) if said.comm_id == *id),
            )
            .await;
        let Content::CommMsg(said) = message.content else { unreachable!() };
        said.data["content"].clone()
    }
}

#[tokio::test]
async fn forty_jobs_of_a_cell_share_one_timeline_and_a_short_job_has_none() {
    let mut kernel = Kernel::start().await;
    kernel.watched(SESSION).await;
    let (_, seen, outputs) = kernel.watched(SHORT).await;
    assert!(seen.models.is_empty() && seen.displays.is_empty(), "{outputs:?}");
    let code = "for n in 1..=40usize { session.range(0, 4_000_000, n).filter((col(\"id\") % lit(7)).eq(lit(0))).count()?; }";
    let (_, seen, _) = kernel.watched(code).await;
    let timelines = seen.models.iter().filter(|(_, state)| state["_model_module"] == "anywidget").count();
    assert_eq!((timelines, seen.displays.len(), seen.updates.len()), (1, 1, 1));
    assert!(
        seen.updates[0]["text/plain"].as_str().unwrap().contains("The longest of 40 jobs"),
        "{:?}",
        seen.updates
    );
}

#[tokio::test]
async fn without_a_person_a_cell_keeps_the_picture_and_opens_no_widget() {
    let mut kernel = Kernel::start().await;
    kernel.run(SESSION).await;
    let (reply, outputs) = kernel.run(&format!("let n = {LONG}; println!(\"{{n}}\");")).await;
    assert_eq!(reply.status, ReplyStatus::Ok);
    let seen = Seen::of(&outputs);
    assert!(seen.models.is_empty() && seen.told.is_empty() && seen.updates.is_empty(), "{outputs:?}");
    let [display] = &seen.displays[..] else { panic!("{outputs:?}") };
    assert!(display.get(VIEW).is_none() && display["image/svg+xml"].as_str().unwrap().contains("group_by"));
    assert_eq!(streams(&outputs), [("stdout", "97\n".to_owned())]);
}

#[tokio::test]
async fn the_timeline_can_be_switched_off_by_a_cell_and_by_the_environment() {
    let mut kernel = Kernel::start().await;
    kernel.watched("partita::widgets::set_timeline(false);").await;
    kernel.watched(SESSION).await;
    let (_, seen, _) = kernel.watched(LONG).await;
    assert!(seen.models.is_empty() && seen.displays.is_empty());

    let off = [("PARTITA_TIMELINE", "off".to_owned())];
    let mut kernel = Kernel::start_with(jupyter_protocol::Transport::TCP, &off).await;
    kernel.watched(SESSION).await;
    let (_, seen, _) = kernel.watched(LONG).await;
    assert!(seen.models.is_empty() && seen.displays.is_empty());
}
