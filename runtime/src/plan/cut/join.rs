//! Joins: rows with equal keys must meet. Where both sides lie matters, and how large they are.

use std::sync::Arc;

use partita_engine::shuffle::Partitioner;
use polars::polars_utils::arena::Node;
use polars::prelude::*;
use polars_plan::dsl::JoinOptionsIR;
use polars_plan::plans::expr_ir::ExprIR;
use polars_plan::plans::{IR, ToFieldContext};

use super::Cutter;
use super::flow::Flow;
use super::placement::Placement;
use super::rows::nodes;
use super::size::Size;
use crate::plan::leaf::{Leaf, Source};
use crate::plan::physical::{SAMPLE_ROWS, Sink};
use crate::plan::{JoinStrategy, Partitioning, Settings, estimate};

/// How the sides of a join meet.
enum Meeting {
    /// The right side goes to every partition of the left.
    BroadcastRight,
    /// The left side goes to every partition of the right.
    BroadcastLeft,
    /// Both are shuffled by their keys.
    Shuffle,
    /// Shuffled, with the left rows of hot keys spread over this many partitions.
    Salted(usize),
    /// All rows in one partition, because their order matters.
    Gather,
}

/// A side of a join.
#[derive(Debug, Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// A side that is guessed to be this many times larger than what is broadcast is not waited for.
const FAR: usize = 16;

/// A join node without its slice.
struct Join {
    ir: IR,
    left: Node,
    right: Node,
    left_on: Vec<ExprIR>,
    right_on: Vec<ExprIR>,
    options: Arc<JoinOptionsIR>,
}

impl Cutter<'_, '_> {
    pub(super) fn join(&mut self, mut ir: IR, order: bool) -> PolarsResult<Flow> {
        let IR::Join { input_left, input_right, left_on, right_on, options, .. } = &mut ir else {
            return self.whole(ir);
        };
        let (left, right) = (*input_left, *input_right);
        let (left_on, right_on) = (left_on.clone(), right_on.clone());
        let slice = options.args.slice;
        if slice.is_some() {
            Arc::make_mut(options).args.slice = None;
        }
        let options = options.clone();
        let repartition = self.partitioning(right);
        let flow = match repartition {
            Some(by) => self.repartition(left, &left_on, by)?,
            None => self.joined(Join { ir, left, right, left_on, right_on, options }, order)?,
        };
        match slice {
            Some((offset, len)) => self.slice(flow, offset, len),
            None => Ok(flow),
        }
    }

    /// The repartition that a join with this right side stands for, if it does. Predicates on the keys and
    /// projections may be above its leaf.
    fn partitioning(&self, mut right: Node) -> Option<Partitioning> {
        loop {
            match self.planning.ir.get(right) {
                scan @ IR::Scan { .. } => {
                    return match Leaf::of(scan) {
                        Some(Leaf { source: Source::Keys(by), .. }) => Some(by.clone()),
                        _ => None,
                    };
                }
                IR::Filter { input, .. }
                | IR::SimpleProjection { input, .. }
                | IR::Select { input, .. }
                | IR::HStack { input, .. } => right = *input,
                _ => return None,
            }
        }
    }

    /// A repartition by keys, which stands in the plan as a semi join.
    fn repartition(&mut self, input: Node, keys: &[ExprIR], by: Partitioning) -> PolarsResult<Flow> {
        let flow = self.cut(input, false)?;
        let keys = nodes(keys);
        let exprs = self.expressions(&keys);
        let (name, columns) = (by.name(), self.columns(&keys));
        let mut flow = match by {
            Partitioning::RoundRobin(n) => self.shuffle(flow, name, Partitioner::RoundRobin { n }),
            Partitioning::Hash(_, n) => {
                let mut flow = self.shuffle(flow, name, Partitioner::Hash { keys: exprs, n });
                flow.placed = columns.map(Placement::by).unwrap_or_default();
                flow
            }
            Partitioning::Expr(expr, n) => self.shuffle(flow, name, Partitioner::ByExpr { expr, n }),
            Partitioning::Salted(_, n, salts) => {
                let salt = partita_engine::shuffle::Salt::all(salts);
                self.shuffle(flow, name, Partitioner::Salted { keys: exprs, n, salt })
            }
            Partitioning::Range(_, n) => {
                let descending = vec![false; exprs.len()];
                self.shuffle_by_range(flow, name, exprs, descending, false, n)
            }
        };
        flow.ordered = true;
        Ok(flow)
    }

    fn joined(&mut self, join: Join, order: bool) -> PolarsResult<Flow> {
        use JoinType::AsOf;
        let args = &join.options.args;
        let (keeps_left, keeps_right) = match args.maintain_order {
            MaintainOrderJoin::None => (false, false),
            MaintainOrderJoin::Left => (true, false),
            MaintainOrderJoin::Right => (false, true),
            MaintainOrderJoin::LeftRight | MaintainOrderJoin::RightLeft => (true, true),
        };
        let sorted = matches!(args.how, AsOf(_));
        let mut left = self.cut(join.left, keeps_left || sorted || order)?;
        let right = self.cut(join.right, keeps_right || sorted)?;
        let advice = std::mem::take(&mut left.advice);
        let n = self.planning.settings.shuffle_partitions;
        let strategy = advice.strategy.unwrap_or_default();
        let meeting = self.meeting(&join, &left, &right, strategy);
        if left.alone()
            && right.alone()
            && !matches!(meeting, Meeting::BroadcastRight | Meeting::BroadcastLeft)
        {
            return Ok(self.meet(join, left, right, "join"));
        }
        Ok(match meeting {
            Meeting::Gather => {
                let (left, right) = (self.gather(left, "join"), self.gather(right, "join"));
                self.meet(join, left, right, "join")
            }
            Meeting::BroadcastRight => {
                let right = self.broadcast(right, left.partitions());
                self.broadcast_right(join, left, right, "join: broadcast")
            }
            Meeting::BroadcastLeft => {
                let left = self.broadcast(left, right.partitions());
                self.broadcast_left(join, left, right, "join: broadcast left")
            }
            Meeting::Salted(salts) => {
                let (left, right) = self.shuffle_salted(left, right, &join, n, salts);
                self.meet(join, left, right, "join")
            }
            Meeting::Shuffle => match self.worth_waiting(&join, &left, &right, strategy) {
                Some(side) => self.measured(join, left, right, n, side)?,
                None => self.shuffled(join, left, right, n),
            },
        })
    }

    /// The side that may turn out small enough to be broadcast, if one may.
    fn worth_waiting(&self, join: &Join, left: &Flow, right: &Flow, strategy: JoinStrategy) -> Option<Side> {
        use JoinType::{Anti, Inner, Left, Right, Semi};
        let Settings { adaptive, broadcast_threshold, .. } = self.planning.settings;
        let plain = self.columns(&nodes(&join.left_on)).zip(self.columns(&nodes(&join.right_on)));
        let (left_keys, right_keys) = plain?;
        let unplaced =
            left.placed.positions(&left_keys).is_none() && right.placed.positions(&right_keys).is_none();
        let free =
            strategy == JoinStrategy::Auto && join.options.args.validation == JoinValidation::ManyToMany;
        if !adaptive || !free || !unplaced || left.alone() || right.alone() {
            return None;
        }
        let guess = |node: Node| {
            let rows = estimate::rows(node, &self.planning.ir, &self.planning.exprs).now;
            (rows * Size::row_width(&self.schema(node)) as f64) as usize
        };
        let (one, other) = (guess(join.left), guess(join.right));
        let side = match join.options.args.how {
            Inner if one < other => Side::Left,
            Inner | Left | Semi | Anti => Side::Right,
            Right => Side::Left,
            _ => return None,
        };
        let bytes = if matches!(side, Side::Left) { one } else { other };
        (bytes <= broadcast_threshold.saturating_mul(FAR)).then_some(side)
    }

    /// Shuffles one side, and broadcasts it if that left few bytes. The other side's work depends on it, so
    /// it waits.
    fn measured(&mut self, join: Join, left: Flow, right: Flow, n: usize, side: Side) -> PolarsResult<Flow> {
        let (flow, on) = match side {
            Side::Left => (left.clone(), &join.left_on),
            Side::Right => (right.clone(), &join.right_on),
        };
        let keys = nodes(on);
        let columns = self.columns(&keys).unwrap_or_default();
        let mut flow = self.by_hash(flow, &keys, n);
        flow.placed = Placement::by(columns);
        let stage = flow.after.first().copied().unwrap_or_default();
        let bytes = self.stages.measured(stage)?;
        if bytes > self.planning.settings.broadcast_threshold as u64 {
            return Ok(match side {
                Side::Left => self.shuffled(join, flow, right, n),
                Side::Right => self.shuffled(join, left, flow, n),
            });
        }
        let size = partita_events::figures::bytes(bytes);
        Ok(match side {
            Side::Left => {
                let left = self.broadcast(flow, right.partitions());
                self.broadcast_left(join, left, right, &format!("join: broadcast left, {size}"))
            }
            Side::Right => {
                let right = self.broadcast(flow, left.partitions());
                self.broadcast_right(join, left, right, &format!("join: broadcast, {size}"))
            }
        })
    }

    /// The join of a flow with broadcast rows on its right.
    fn broadcast_right(&mut self, join: Join, left: Flow, right: Flow, name: &str) -> Flow {
        let (placed, ordered, splits) = (left.placed.clone(), left.ordered, left.splits.clone());
        let mut flow = self.meet(join, left, right, name);
        flow.placed = placed;
        flow.placed.keep(&self.names(flow.top));
        (flow.ordered, flow.splits) = (ordered, splits);
        flow
    }

    /// The join of a flow with broadcast rows on its left.
    fn broadcast_left(&mut self, join: Join, left: Flow, right: Flow, name: &str) -> Flow {
        let splits = right.splits.clone();
        let mut flow = self.meet(join, left, right, name);
        flow.splits = splits;
        flow
    }

    fn meeting(&self, join: &Join, left: &Flow, right: &Flow, strategy: JoinStrategy) -> Meeting {
        use JoinType::{Anti, AsOf, Cross, Full, IEJoin, Inner, Left, Range, Right, Semi};
        let args = &join.options.args;
        let (on_left, on_right) = match &args.how {
            Inner | Cross | IEJoin | Range => (true, true),
            Left | Semi | Anti => (false, true),
            Right => (true, false),
            Full | AsOf(_) => (false, false),
        };
        let keyless = matches!(args.how, Cross | IEJoin | Range) || join.left_on.is_empty();
        let order_left =
            matches!(args.maintain_order, MaintainOrderJoin::Left | MaintainOrderJoin::LeftRight);
        if args.maintain_order != MaintainOrderJoin::None {
            return if order_left && on_right && left.ordered && args.validation == JoinValidation::ManyToMany
            {
                Meeting::BroadcastRight
            } else {
                Meeting::Gather
            };
        }
        if keyless && !matches!(args.how, AsOf(_)) {
            return if on_right { Meeting::BroadcastRight } else { Meeting::Gather };
        }
        if let AsOf(options) = &args.how {
            return match (&options.left_by, &options.right_by) {
                (Some(_), Some(_)) => Meeting::Shuffle,
                _ => Meeting::Gather,
            };
        }
        match strategy {
            JoinStrategy::Broadcast if on_right => return Meeting::BroadcastRight,
            JoinStrategy::Shuffle => return Meeting::Shuffle,
            JoinStrategy::Salted(salts) if on_right => return Meeting::Salted(salts),
            JoinStrategy::Auto | JoinStrategy::Broadcast | JoinStrategy::Salted(_) => {}
        }
        // A number of matches per row can only be checked where all rows of a key are.
        if args.validation != JoinValidation::ManyToMany {
            return Meeting::Shuffle;
        }
        let small = |flow: &Flow| {
            flow.size.bytes.filter(|bytes| *bytes <= self.planning.settings.broadcast_threshold)
        };
        let less = |one: usize, other: Option<usize>| other.is_none_or(|other| one <= other);
        match (small(left).filter(|_| on_left), small(right).filter(|_| on_right)) {
            (_, Some(bytes)) if !on_left || less(bytes, left.size.bytes) => Meeting::BroadcastRight,
            (Some(_), _) => Meeting::BroadcastLeft,
            (None, Some(_)) => Meeting::BroadcastRight,
            (None, None) => Meeting::Shuffle,
        }
    }

    /// The join node over two flows whose partitions belong together.
    fn meet(&mut self, join: Join, left: Flow, right: Flow, name: &str) -> Flow {
        let size = left.size;
        let ir = self.hashed(join.ir, left.top);
        let mut flow = self.combine(vec![left, right], ir, name);
        if matches!(join.options.args.how, JoinType::Semi | JoinType::Anti) {
            flow.size = size;
        }
        // Polars promises no order either.
        flow.ordered = true;
        flow
    }

    /// The join, made to compare hashes. A single float key that is marked as sorted, as a single row always
    /// is, would be merged by comparing values, and NaN would meet no NaN. Two keys are always hashed, so the
    /// key is given twice.
    fn hashed(&self, mut ir: IR, left: Node) -> IR {
        let schema = self.schema(left);
        if let IR::Join { left_on, right_on, options, .. } = &mut ir
            && (options.args.how.is_equi() || options.args.how.is_semi_anti())
            && let ([one], [other]) = (&left_on[..], &right_on[..])
        {
            let context = ToFieldContext::new(&self.planning.exprs, &schema);
            let dtype = self.planning.exprs.get(one.node()).to_dtype(&context);
            if dtype.is_ok_and(|dtype| dtype.is_float()) {
                let (one, other) = (one.clone(), other.clone());
                left_on.push(one);
                right_on.push(other);
            }
        }
        ir
    }

    /// Shuffles the sides that are not yet placed by the keys.
    fn shuffled(&mut self, join: Join, left: Flow, right: Flow, n: usize) -> Flow {
        let (mut left_keys, mut right_keys) = (nodes(&join.left_on), nodes(&join.right_on));
        if let JoinType::AsOf(options) = &join.options.args.how {
            let columns = |names: &Option<Vec<PlSmallStr>>, cutter: &mut Self| -> Vec<Node> {
                let add = |name: &PlSmallStr| {
                    cutter.planning.exprs.add(polars_plan::plans::AExpr::Column(name.clone()))
                };
                names.iter().flatten().map(add).collect()
            };
            left_keys = columns(&options.left_by, self);
            right_keys = columns(&options.right_by, self);
        }
        let (left_columns, right_columns) = (self.columns(&left_keys), self.columns(&right_keys));
        let placed = |flow: &Flow, columns: &Option<Vec<PlSmallStr>>| {
            if flow.alone() { None } else { flow.placed.positions(columns.as_deref()?) }
        };
        let both = left_columns.is_some() && right_columns.is_some();
        let (on_left, on_right) =
            (placed(&left, &left_columns).filter(|_| both), placed(&right, &right_columns).filter(|_| both));
        let pick =
            |keys: &[Node], positions: &[usize]| positions.iter().map(|at| keys[*at]).collect::<Vec<_>>();
        let (left, right, used) = match (on_left, on_right) {
            (Some(one), Some(other)) if one == other && left.partitions() == right.partitions() => {
                (left, right, one)
            }
            (Some(one), _) => {
                let n = left.partitions();
                let right = self.by_hash(right, &pick(&right_keys, &one), n);
                (left, right, one)
            }
            (None, Some(other)) => {
                let n = right.partitions();
                let left = self.by_hash(left, &pick(&left_keys, &other), n);
                (left, right, other)
            }
            (None, None) => {
                let (left, right) = (self.by_hash(left, &left_keys, n), self.by_hash(right, &right_keys, n));
                let all = (0..left_keys.len()).collect();
                (left, right, all)
            }
        };
        let how = join.options.args.how.clone();
        let mut splits = Vec::new();
        if matches!(how, JoinType::Inner | JoinType::Left | JoinType::Semi | JoinType::Anti) {
            splits.extend(&left.splits);
        }
        if matches!(how, JoinType::Inner | JoinType::Right) {
            splits.extend(&right.splits);
        }
        let mut flow = self.meet(join, left, right, "join");
        flow.splits = splits;
        if both {
            let columns = |columns: Option<Vec<PlSmallStr>>| pick_names(columns, &used);
            let (one, other) = (columns(left_columns), columns(right_columns));
            let left_side = !matches!(how, JoinType::Right | JoinType::Full);
            let names = self.names(flow.top);
            flow.placed = match how {
                JoinType::Full => Placement::default(),
                _ if left_side => Placement::by(one.clone()),
                _ => Placement::by(other.clone()),
            };
            // An inner join's keys are equal, under whichever name they are left.
            if matches!(how, JoinType::Inner) {
                let of_left = self.names_of_left(flow.top);
                for (one, other) in one.iter().zip(&other).filter(|(one, other)| one != other) {
                    if !of_left.contains(other) && names.contains(other) {
                        flow.placed.also(one, other.clone());
                    }
                }
            }
            flow.placed.keep(&names);
        }
        flow
    }

    fn by_hash(&mut self, flow: Flow, keys: &[Node], n: usize) -> Flow {
        let partitioner = Partitioner::Hash { keys: self.expressions(keys), n };
        self.shuffle(flow, "shuffle by hash", partitioner)
    }

    fn names(&self, node: Node) -> Vec<PlSmallStr> {
        self.schema(node).iter_names_cloned().collect()
    }

    fn names_of_left(&self, join: Node) -> Vec<PlSmallStr> {
        match self.planning.ir.get(join) {
            IR::Join { input_left, .. } => self.names(*input_left),
            _ => Vec::new(),
        }
    }

    /// Shuffles both sides of a join by their keys. The left's hot keys, found by a sample, are spread
    /// over several partitions each, and the right rows of those keys are copied to all of them.
    fn shuffle_salted(
        &mut self,
        left: Flow,
        right: Flow,
        join: &Join,
        n: usize,
        salts: usize,
    ) -> (Flow, Flow) {
        let left_on = self.expressions(&nodes(&join.left_on));
        let right_on = self.expressions(&nodes(&join.right_on));
        let sample = Sink::Sample { by: left_on.clone(), rows: SAMPLE_ROWS };
        let sample = self.stage(&left, Some("sample"), sample);
        let side = |cutter: &mut Self, flow: Flow, keys: Vec<Expr>, copied: bool, why: &str| {
            let id = (cutter.stages.next_shuffle)();
            let sink = Sink::SaltedShuffle { id, sample, keys, n, salts, copied };
            let stage = cutter.stage(&flow, Some(why), sink);
            cutter.stages.list[stage].after.push(sample);
            cutter.after_shuffle(&flow, id, n, stage)
        };
        let left = side(self, left, left_on, false, "shuffle by hash, salted");
        let right = side(self, right, right_on, true, "shuffle by hash, copied");
        (left, right)
    }
}

fn pick_names(columns: Option<Vec<PlSmallStr>>, positions: &[usize]) -> Vec<PlSmallStr> {
    let columns = columns.unwrap_or_default();
    positions.iter().filter_map(|at| columns.get(*at).cloned()).collect()
}
