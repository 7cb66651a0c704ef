//! The timeline under a cell that runs a job, as a front end's widget manager receives it.

use jupyter_protocol::{CommId, CommOpen, ExecuteRequest, JupyterMessageContent as Content, ReplyStatus};
use serde_json::{Value, json};

use crate::client::{Kernel, streams};

const VIEW: &str = "application/vnd.jupyter.widget-view+json";
const SESSION: &str = "let session = Session::embedded(2)?;";
/// Long enough to be shown: 80,000 of 80 million rows are grouped.
const LONG: &str = "session.range(0, 80_000_000, 4).filter((col(\"id\") % lit(1000)).eq(lit(0)))
    .group_by([col(\"id\") % lit(97)]).agg([col(\"id\").max().alias(\"max\")]).count()?";
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

/// What messages about jobs say: how many jobs ended, stages finished, and attempts at tasks run or are
/// done.
fn counted(changes: &Value) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    let mut count = |what: &str, number: usize| match counts.iter_mut().find(|(of, _)| of == what) {
        Some((_, count)) => *count += number,
        None if number > 0 => counts.push((what.to_owned(), number)),
        None => {}
    };
    for job in changes.as_array().into_iter().flatten() {
        let list = |name: &str| job[name].as_array().unwrap().clone();
        count("job done", usize::from(job["state"] == "done"));
        count("stage finished", list("stages").iter().filter(|stage| stage["finished"] == true).count());
        // The state of an attempt is its eighth number; in a row that changes one, another is before it.
        let states: Vec<u64> = [("added", 7), ("changed", 8)]
            .iter()
            .flat_map(|(name, place)| list(name).into_iter().map(|row| row[*place].as_u64().unwrap_or(0)))
            .collect();
        count("task running", states.iter().filter(|state| **state == 0).count());
        count("task done", states.iter().filter(|state| **state == 1).count());
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

    /// What a page that is opened later receives for all models.
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

    /// Sends a message on a comm.
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

    // Every message is numbered, and together with the first state they make up the job.
    let numbers: Vec<u64> = seen.told.iter().map(|(_, told)| told["number"].as_u64().unwrap()).collect();
    let first = state["state"]["number"].as_u64().unwrap();
    assert_eq!(numbers, (first + 1..=first + numbers.len() as u64).collect::<Vec<_>>());
    let (_, last) = seen.told.last().unwrap();
    assert_eq!(last["ended"], true);
    assert!(seen.told.iter().any(|(_, told)| counted(&told["changes"]).contains(&("job done".into(), 1))));

    let [update] = &seen.updates[..] else { panic!("{:?}", seen.updates) };
    assert_eq!(update[VIEW]["model_id"], id);
    assert!(update["text/plain"].as_str().unwrap().contains("Done in"), "{update}");
    let svg = update["image/svg+xml"].as_str().unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("slot 1") && svg.contains("group_by"), "{svg}");

    // The modules are sent once.
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
    let counts = counted(&state["changes"]);
    let (stages, tasks) = (2, 4 + 2);
    assert!(counts.contains(&("task done".into(), tasks)), "{counts:?}");
    assert!(counts.contains(&("stage finished".into(), stages)), "{counts:?}");
    assert!(!counts.iter().any(|(kind, _)| kind == "task running"), "each attempt is there once: {counts:?}");

    let comm = CommId(id.to_owned());
    kernel.say(&comm, json!({"method": "custom", "content": {"received": 0}})).await;
    let said = kernel.answer_on(&comm).await;
    let without_clock = |changes: &Value| -> Vec<Value> {
        let mut jobs = changes.as_array().unwrap().clone();
        jobs.iter_mut().for_each(|job| job["now"] = Value::Null);
        jobs
    };
    assert_eq!(without_clock(&said["changes"]), without_clock(&state["changes"]));
    kernel.say(&comm, json!({"method": "custom", "content": {"received": said["number"]}})).await;
    assert_eq!(kernel.answer_on(&comm).await.get("changes"), None, "nothing was missed");
}

#[tokio::test]
async fn a_page_that_comes_while_a_cell_runs_is_answered_at_once() {
    let mut kernel = Kernel::start().await;
    kernel.watched(SESSION).await;
    let code = "session.range(0, 100_000_000_000, 20_000).filter(col(\"id\").lt(lit(5))).count()?".to_owned();
    let cell = kernel.send(ExecuteRequest { allow_stdin: true, ..ExecuteRequest::new(code) }).await;
    kernel.publishes("the timeline", |content| matches!(content, Content::DisplayData(_))).await;
    let asked = kernel.send(jupyter_protocol::KernelInfoRequest {}).await;
    assert!(matches!(kernel.reply(&asked).await, Content::KernelInfoReply(_)));
    let states = kernel.states().await;
    let timeline =
        states.as_object().unwrap().values().find(|state| state["model_name"] == "AnyModel").unwrap();
    let counts = counted(&timeline["state"]["state"]["changes"]);
    assert!(
        counts.iter().any(|(kind, _)| kind == "task running"),
        "tasks that run are among them: {counts:?}"
    );
    assert_eq!(timeline["state"]["state"]["ended"], false);
    kernel.interrupt().await;
    assert_eq!(kernel.execute_reply(&cell).await.status, ReplyStatus::Error);
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
    let code = "for n in 1..=40usize { session.range(0, 20_000_000, n).filter((col(\"id\") % lit(7)).eq(lit(0))).count()?; }";
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

impl Kernel {
    /// Sends the message that moving a control causes.
    async fn moves(&mut self, id: &str, state: Value) {
        self.say(&CommId(id.to_owned()), json!({"method": "update", "state": state, "buffer_paths": []}))
            .await;
    }

    /// Waits until the outputs below the controls are these, as text.
    async fn outputs_are(&mut self, id: &str, wanted: &[&str]) {
        self.publishes(&format!("{wanted:?}"), |content| match content {
            Content::CommMsg(said) if said.comm_id.0 == id => texts(&said.data["state"]["outputs"]) == wanted,
            _ => false,
        })
        .await;
    }
}

/// The outputs as text, without colours.
fn texts(outputs: &Value) -> Vec<String> {
    let text = |output: &Value| match output["output_type"].as_str() {
        Some("stream") => output["text"].as_str().unwrap().to_owned(),
        Some("error") => output["evalue"].as_str().unwrap().to_owned(),
        _ => output["data"]["text/plain"].as_str().unwrap().to_owned(),
    };
    outputs.as_array().into_iter().flatten().map(text).collect()
}

const INTERACT: &str = "
    use partita::widgets::{dropdown, interact, slider, toggle};
    let pool = session.clone();
    interact((slider(\"partitions\", 1..=64).at(3), dropdown(\"how\", [\"hash\", \"range\"]), toggle(\"fail\", false)),
        move |(n, how, fail)| -> partita::Result<Text> {
            println!(\"begun {n}\");
            if fail { panic!(\"told to\") }
            let rows = pool.range(0, 1000, n).count()?;
            Ok(Text(format!(\"{rows} rows in {n} by {how}\")))
        });";

#[tokio::test]
async fn moving_a_control_runs_the_closure_again_while_no_cell_runs() {
    let mut kernel = Kernel::start().await;
    kernel.watched(SESSION).await;
    let (_, seen, _) = kernel.watched(INTERACT).await;
    let of = |name: &str| {
        let found = seen.models.iter().find(|(_, state)| state["_model_name"] == name);
        found.unwrap_or_else(|| panic!("no {name}")).clone()
    };
    let (slider, state) = of("IntSliderModel");
    assert_eq!((&state["value"], &state["min"], &state["max"]), (&json!(3), &json!(1), &json!(64)));
    assert_eq!(state["description"], "partitions");
    let (dropdown, _) = of("DropdownModel");
    let (toggle, _) = of("CheckboxModel");
    let (outputs, _) = of("OutputModel");
    let (panel, state) = of("VBoxModel");
    assert_eq!(state["children"].as_array().unwrap().len(), 3 + 1 + 1, "controls, timeline, outputs");
    assert_eq!(seen.displays[0][VIEW]["model_id"], json!(panel));
    // It has run once when the cell ends, and that output stays in the notebook.
    let kept = &seen.updates[0];
    assert!(kept["text/plain"].as_str().unwrap().contains("1000 rows in 3 by hash"), "{kept}");
    assert!(kept["text/html"].as_str().unwrap().contains("partitions = 3"), "{kept}");

    kernel.moves(&slider, json!({"value": 8})).await;
    kernel.outputs_are(&outputs, &["begun 8\n", "1000 rows in 8 by hash"]).await;
    kernel.moves(&dropdown, json!({"index": 1})).await;
    kernel.outputs_are(&outputs, &["begun 8\n", "1000 rows in 8 by range"]).await;

    // A panic is shown below the controls, and the next move works.
    kernel.moves(&toggle, json!({"value": true})).await;
    kernel
        .publishes("the panic", |content| match content {
            Content::CommMsg(said) if said.comm_id.0 == outputs => {
                texts(&said.data["state"]["outputs"]).last().is_some_and(|text| text == "panicked: told to")
            }
            _ => false,
        })
        .await;
    kernel.moves(&toggle, json!({"value": false})).await;
    kernel.outputs_are(&outputs, &["begun 8\n", "1000 rows in 8 by range"]).await;

    // A page that is opened later finds the controls in their current state, with their outputs.
    let states = kernel.states().await;
    assert_eq!(states[&slider]["state"]["value"], 8);
    assert_eq!(texts(&states[&outputs]["state"]["outputs"]), ["begun 8\n", "1000 rows in 8 by range"]);
    // A value from the page is clamped to the range.
    kernel.moves(&slider, json!({"value": 1_000_000})).await;
    kernel.outputs_are(&outputs, &["begun 64\n", "1000 rows in 64 by range"]).await;
    assert_eq!(kernel.value("1 + 1").await, "2", "cells still run");
}

#[tokio::test]
async fn a_move_cancels_the_job_that_the_last_one_started_and_no_other() {
    let mut kernel = Kernel::start().await;
    kernel.watched(SESSION).await;
    let code = "
        let pool = session.clone();
        partita::widgets::interact(partita::widgets::slider(\"size\", 0..=1i64), move |size| -> partita::Result<Text> {
            // The larger one runs far longer than anybody waits.
            let (rows, tasks) = if size == 0 { (10, 2) } else { (100_000_000_000, 100_000) };
            let rows = pool.range(0, rows, tasks).filter(col(\"id\").lt(lit(5))).count()?;
            Ok(Text(format!(\"{rows} rows\")))
        });";
    let (_, seen, _) = kernel.watched(code).await;
    let of =
        |name: &str| seen.models.iter().find(|(_, state)| state["_model_name"] == name).unwrap().0.clone();
    let (slider, outputs, timeline) = (of("IntSliderModel"), of("OutputModel"), of("AnyModel"));
    kernel.moves(&slider, json!({"value": 1})).await;
    kernel
        .publishes("the long job's tasks", |content| match content {
            Content::CommMsg(said) if said.comm_id.0 == timeline => {
                let changes = &said.data["content"]["changes"];
                counted(changes).iter().any(|(kind, _)| kind == "task done" || kind == "task running")
            }
            _ => false,
        })
        .await;
    kernel.moves(&slider, json!({"value": 0})).await;
    kernel.outputs_are(&outputs, &["5 rows"]).await;
    // The session is free again: nothing of the long job holds its slots.
    assert_eq!(kernel.value("session.range(0, 10, 2).count()?").await, "10");
    assert_eq!(kernel.value("session.reports().iter().filter(|job| job.error.is_some()).count()").await, "1");
}

#[tokio::test]
async fn without_a_page_the_closure_runs_once_and_says_so() {
    let mut kernel = Kernel::start().await;
    kernel.run(SESSION).await;
    let (reply, outputs) = kernel.run(INTERACT).await;
    assert!(reply.error.is_none(), "{:?}", reply.error);
    let seen = Seen::of(&outputs);
    assert!(seen.models.is_empty(), "{outputs:?}");
    let said: Vec<&str> =
        seen.displays.iter().map(|display| display["text/plain"].as_str().unwrap()).collect();
    assert!(said[0].starts_with("partitions = 3, how = hash, fail = false (runs once"), "{said:?}");
    assert_eq!(said[1], "1000 rows in 3 by hash");
}
