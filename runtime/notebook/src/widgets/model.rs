use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::comm::{Comm, CommError, CommMessage};

/// The supported version of Jupyter's widget protocol.
const PROTOCOL: &str = "2.1.0";
const TARGET: &str = "jupyter.widget";
const CONTROL: &str = "jupyter.widget.control";

/// A widget's traits by name.
pub(super) type State = Map<String, Value>;

type OnState = Box<dyn FnMut(State) + Send>;
type OnCustom = Box<dyn FnMut(Value) + Send>;
type Computed = Box<dyn Fn() -> State + Send + Sync>;

/// What the front end knows by one model id. Its state is the same on both sides, and it lives until this
/// process or the front end closes it. Cheap to clone; clones are the same model.
#[derive(Clone)]
pub(super) struct Model {
    inner: Arc<Inner>,
}

/// A reference for callbacks of the model itself: it does not keep the model alive.
pub(super) struct WeakModel(Weak<Inner>);

impl WeakModel {
    /// The model, unless it is gone.
    pub fn get(&self) -> Option<Model> {
        self.0.upgrade().map(|inner| Model { inner })
    }
}

struct Inner {
    comm: Comm,
    state: Mutex<State>,
    /// Traits computed on request, because they are large and always changing.
    computed: Option<Computed>,
    callbacks: Mutex<Callbacks>,
}

#[derive(Default)]
struct Callbacks {
    state: Option<OnState>,
    custom: Option<OnCustom>,
}

/// The open models, in the order of opening: a model may refer to earlier ones.
/// Process-wide because a front end that connects asks for the models of the whole process.
static OPEN: Mutex<Vec<Model>> = Mutex::new(Vec::new());

impl Model {
    /// Opens a model in the front end. `computed` are traits that are recomputed whenever another front
    /// end asks for them.
    ///
    /// # Errors
    /// When there is no front end, or too many models are open.
    pub fn open(state: State, computed: Option<Computed>) -> Result<Self, CommError> {
        let comm = Comm::open(TARGET, message(json!({"state": state, "buffer_paths": []})))?;
        Ok(Self::on(comm, state, computed))
    }

    /// Opens a model of a process that has ended, to which outputs still refer.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_again(id: &str, state: State, computed: Option<Computed>) -> Result<Self, CommError> {
        let opening = message(json!({"state": state, "buffer_paths": []}));
        let comm = Comm::open_as(id.to_owned(), TARGET.to_owned(), opening)?;
        Ok(Self::on(comm, state, computed))
    }

    fn on(comm: Comm, state: State, computed: Option<Computed>) -> Self {
        let inner = Inner { comm, state: Mutex::new(state), computed, callbacks: Mutex::default() };
        let model = Self { inner: Arc::new(inner) };
        OPEN.lock().push(model.clone());
        let receiver = model.downgrade();
        model.inner.comm.on_message(move |message| {
            if let Some(model) = receiver.get() {
                model.receive(message.data);
            }
        });
        let id = model.id().to_owned();
        model.inner.comm.on_close(move |_| forget(&id));
        model
    }

    /// A reference that does not keep the model alive.
    pub fn downgrade(&self) -> WeakModel {
        WeakModel(Arc::downgrade(&self.inner))
    }

    /// The id by which front ends know it.
    pub fn id(&self) -> &str {
        self.inner.comm.id()
    }

    /// How other models refer to it.
    pub fn reference(&self) -> String {
        format!("IPY_MODEL_{}", self.id())
    }

    /// Sets traits, here and in every front end.
    ///
    /// # Errors
    /// When the model is closed, or the state cannot be sent.
    pub fn update(&self, state: State) -> Result<(), CommError> {
        self.inner.state.lock().extend(state.clone());
        self.inner.comm.send(message(json!({"method": "update", "state": state, "buffer_paths": []})))
    }

    /// Sends every front end a message that is not state.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn send(&self, content: Value) -> Result<(), CommError> {
        self.inner.comm.send(message(json!({"method": "custom", "content": content})))
    }

    /// Calls `callback` with the traits that a person has changed, on the comms' thread.
    pub fn on_state(&self, callback: impl FnMut(State) + Send + 'static) {
        self.inner.callbacks.lock().state = Some(Box::new(callback));
    }

    /// Calls `callback` with custom messages from the front end's code, on the comms' thread.
    pub fn on_custom(&self, callback: impl FnMut(Value) + Send + 'static) {
        self.inner.callbacks.lock().custom = Some(Box::new(callback));
    }

    /// Closes it, here and in every front end.
    pub fn close(&self) {
        forget(self.id());
        // A front end that has gone needs no notice.
        let _ = self.inner.comm.close(());
        drop(std::mem::take(&mut *self.inner.callbacks.lock()));
    }

    /// All traits with their current values.
    fn state(&self) -> State {
        let mut state = self.inner.state.lock().clone();
        if let Some(computed) = &self.inner.computed {
            state.extend(computed());
        }
        state
    }

    fn receive(&self, mut data: Value) {
        match data["method"].as_str() {
            Some("update") => {
                let Some(state) = data["state"].as_object_mut().map(std::mem::take) else { return };
                self.inner.state.lock().extend(state.clone());
                // Other front ends follow, and the sender learns that its message was received.
                let echo = json!({"method": "echo_update", "state": state, "buffer_paths": []});
                let _ = self.inner.comm.send(message(echo));
                let callback = self.inner.callbacks.lock().state.take();
                if let Some(mut callback) = callback {
                    callback(state);
                    self.inner.callbacks.lock().state.get_or_insert(callback);
                }
            }
            Some("request_state") => {
                let state = self.state();
                let _ = self
                    .inner
                    .comm
                    .send(message(json!({"method": "update", "state": state, "buffer_paths": []})));
            }
            Some("custom") => {
                let callback = self.inner.callbacks.lock().custom.take();
                if let Some(mut callback) = callback {
                    callback(data["content"].take());
                    self.inner.callbacks.lock().custom.get_or_insert(callback);
                }
            }
            _ => {}
        }
    }
}

/// The content of an output that shows a model.
pub(super) fn view(id: &str) -> String {
    json!({"version_major": 2, "version_minor": 0, "model_id": id}).to_string()
}

/// The MIME type of that content.
pub(super) const VIEW: &str = "application/vnd.jupyter.widget-view+json";

/// Lets a front end that connects later, or again, ask for the current state of all models.
pub(super) fn answer_front_ends() {
    Comm::target(CONTROL, |comm, _opened| {
        let asked = comm.clone();
        comm.on_message(move |said| {
            if said.data["method"] == "request_states" {
                // A front end that has left needs no answer.
                let _ = asked.send(all_states());
            }
        });
    });
}

fn all_states() -> Value {
    // Computed without the lock, because the computation takes locks of its own.
    let open = OPEN.lock().clone();
    let states: State = open
        .iter()
        .map(|model| {
            let state = model.state();
            let described = json!({
                "model_name": state.get("_model_name"),
                "model_module": state.get("_model_module"),
                "model_module_version": state.get("_model_module_version"),
                "state": state,
            });
            (model.id().to_owned(), described)
        })
        .collect();
    json!({"method": "update_states", "states": states, "buffer_paths": []})
}

fn forget(id: &str) {
    // Dropped without the lock.
    let _forgotten = {
        let mut open = OPEN.lock();
        open.iter().position(|model| model.id() == id).map(|index| open.remove(index))
    };
}

fn message(data: Value) -> CommMessage {
    CommMessage::from(data).with_metadata(json!({"version": PROTOCOL}))
}

/// Converts a JSON object to a state.
pub(super) fn state(object: Value) -> State {
    match object {
        Value::Object(state) => state,
        _ => State::new(),
    }
}
