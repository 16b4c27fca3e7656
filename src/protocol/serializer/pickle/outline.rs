//! What a pickle builds, kept by number so that it may refer to itself, and told as a value: bounded in depth and size, whatever
//! refers to whatever.

use std::collections::HashSet;

use super::super::super::result::Exception;
use super::super::super::{Json, python};

/// The deepest nesting that is told.
const DEEPEST: usize = 200;

/// What an outline may weigh in bytes; each value weighs its text and 32.
const HEAVIEST: usize = 64 << 20;

/// Characters of a text that stands for an object.
const LONGEST_TEXT: usize = 4_000;

/// Number of a node.
pub(super) type Id = usize;

pub(super) enum Node {
    Plain(Json),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(&'static str, Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// Module and name.
    Global(String, String),
    /// What would be called, with which arguments, and what the object would get afterwards.
    Call(Id, Id, Vec<Id>),
}

#[derive(Default)]
pub(super) struct Heap {
    nodes: Vec<Node>,
}

impl Heap {
    pub(super) fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Elements for a list, a set or an object.
    pub(super) fn append(&mut self, to: Id, items: &[Id]) {
        match &mut self.nodes[to] {
            Node::List(own) | Node::Set(_, own) | Node::Call(_, _, own) => own.extend(items),
            _ => {}
        }
    }

    /// Entries for a dict or an object.
    pub(super) fn set(&mut self, to: Id, pairs: &[(Id, Id)]) {
        match &mut self.nodes[to] {
            Node::Dict(own) => own.extend(pairs),
            Node::Call(..) => {
                let entries = self.add(Node::Dict(pairs.to_vec()));
                self.append(to, &[entries]);
            }
            _ => {}
        }
    }

    /// Whatever a container of this kind would have been given.
    pub(super) fn complete(&mut self, to: Id, items: &[Id]) {
        match &self.nodes[to] {
            Node::Dict(_) => self.set(to, &super::pairs(items)),
            _ => self.append(to, items),
        }
    }

    /// A short text, for names.
    pub(super) fn word(&self, id: Id) -> String {
        match &self.nodes[id] {
            Node::Plain(Json::Text(text) | Json::Number(text)) => python::shorten(text, 200),
            _ => "?".to_owned(),
        }
    }

    /// The arguments of a call; a single one may stand for itself.
    fn arguments<'a>(&'a self, args: &'a Id) -> &'a [Id] {
        match &self.nodes[*args] {
            Node::Tuple(items) | Node::List(items) => items,
            _ => std::slice::from_ref(args),
        }
    }

    /// Class and arguments. Protocols 0 and 1 make objects through helpers, whose first argument is the class.
    fn class<'a>(&'a self, what: Id, args: &'a Id) -> (Id, &'a [Id]) {
        let args = self.arguments(args);
        let Node::Global(module, name) = &self.nodes[what] else {
            return (what, args);
        };
        match (module.as_str(), name.as_str(), args.split_first()) {
            ("copyreg", "_reconstructor", Some((&class, _))) => (class, &[]),
            ("copyreg", "__newobj__", Some((&class, rest))) => (class, rest),
            _ => (what, args),
        }
    }

    /// The outline, and whether nothing was left out.
    pub(super) fn tell(&self, root: Id) -> (Json, bool) {
        let mut teller = Teller {
            heap: self,
            budget: HEAVIEST,
            path: HashSet::new(),
            whole: true,
        };
        let outline = teller.value(root);
        (outline, teller.whole)
    }

    /// The exception that stands under `result` in a dict.
    pub(super) fn raised(&self, root: Id) -> Option<Exception> {
        let Node::Dict(pairs) = &self.nodes[root] else {
            return None;
        };
        let is_result =
            |id: Id| matches!(&self.nodes[id], Node::Plain(Json::Text(key)) if key == "result");
        let (_, found) = pairs.iter().rev().find(|(key, _)| is_result(*key))?;
        let Node::Call(what, args, _) = &self.nodes[*found] else {
            return None;
        };
        let (what, args) = self.class(*what, args);
        let Node::Global(module, kind) = &self.nodes[what] else {
            return None;
        };
        Some(Exception {
            kind: kind.clone(),
            module: Some(module.clone()),
            args: args.iter().map(|&id| self.tell(id).0).collect(),
        })
    }
}

struct Teller<'a> {
    heap: &'a Heap,
    budget: usize,
    /// What is being told right now, from the outside in.
    path: HashSet<Id>,
    whole: bool,
}

impl Teller<'_> {
    fn value(&mut self, id: Id) -> Json {
        let weight = 32
            + match &self.heap.nodes[id] {
                Node::Plain(Json::Text(text) | Json::Number(text)) => text.len(),
                _ => 0,
            };
        let Some(left) = self.budget.checked_sub(weight) else {
            return self.gap("<left out>");
        };
        self.budget = left;
        if let Node::Plain(value) = &self.heap.nodes[id] {
            return value.clone();
        }
        if self.path.len() >= DEEPEST {
            return self.gap("<nested too deeply>");
        }
        if !self.path.insert(id) {
            return Json::from("<recursive>");
        }
        let value = self.compound(id);
        self.path.remove(&id);
        if let Json::Text(text) = &value {
            // Texts of objects inside objects are written again and again.
            self.budget = self.budget.saturating_sub(text.len());
        }
        value
    }

    fn gap(&mut self, text: &str) -> Json {
        self.whole = false;
        Json::from(text)
    }

    fn compound(&mut self, id: Id) -> Json {
        match &self.heap.nodes[id] {
            Node::Plain(value) => value.clone(),
            Node::List(items) | Node::Tuple(items) => Json::List(self.values(items)),
            Node::Dict(pairs) => Json::Object(self.entries(pairs)),
            Node::Global(module, name) => Json::Text(format!("<{module}.{name}>")),
            Node::Set(kind, items) => {
                let items = python::tuple(&self.values(items), LONGEST_TEXT);
                Json::Text(python::shorten(&format!("<{kind} {items}"), LONGEST_TEXT) + ">")
            }
            Node::Call(what, args, more) => {
                let (what, args) = self.heap.class(*what, args);
                let mut text = self.called(what);
                text.push(' ');
                text.push_str(&python::tuple(&self.values(args), LONGEST_TEXT));
                for value in self.values(more) {
                    text.push(' ');
                    text.push_str(&python::repr(&value));
                    if text.len() > LONGEST_TEXT * 4 {
                        break;
                    }
                }
                Json::Text(python::shorten(&format!("<{text}"), LONGEST_TEXT) + ">")
            }
        }
    }

    fn called(&mut self, what: Id) -> String {
        match &self.heap.nodes[what] {
            Node::Global(module, name) => format!("{module}.{name}"),
            _ => python::repr(&self.value(what)),
        }
    }

    fn values(&mut self, items: &[Id]) -> Vec<Json> {
        let mut values = Vec::new();
        for &id in items {
            if self.budget < 32 {
                self.whole = false;
                break;
            }
            values.push(self.value(id));
        }
        values
    }

    fn entries(&mut self, pairs: &[(Id, Id)]) -> Vec<(String, Json)> {
        let mut entries = Vec::new();
        for &(key, value) in pairs {
            if self.budget < 32 {
                self.whole = false;
                break;
            }
            let key = match self.value(key) {
                Json::Text(text) => text,
                other => python::repr(&other),
            };
            entries.push((key, self.value(value)));
        }
        entries
    }
}
