use serde::{Deserialize, Serialize};

/// What a name refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A variable of an earlier cell or of this one.
    Variable,
    /// A field of a struct.
    Field,
    /// A function that takes `self`.
    Method,
    /// Any other function.
    Function,
    /// A struct.
    Struct,
    /// An enum.
    Enum,
    /// One of an enum's variants.
    Variant,
    /// A union.
    Union,
    /// A trait.
    Trait,
    /// A type alias, an associated type or a primitive type.
    Type,
    /// A module or crate.
    Module,
    /// A macro; its text ends in `!`.
    Macro,
    /// A constant.
    Constant,
    /// A static.
    Static,
    /// A keyword.
    Keyword,
}

impl Kind {
    /// The name that front ends use; JupyterLab has icons for most.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Variable => "variable",
            Self::Field => "field",
            Self::Method => "method",
            Self::Function => "function",
            Self::Struct => "struct",
            Self::Enum => "enum",
            Self::Variant => "variant",
            Self::Union => "union",
            Self::Trait => "trait",
            Self::Type => "type",
            Self::Module => "module",
            Self::Macro => "macro",
            Self::Constant => "constant",
            Self::Static => "static",
            Self::Keyword => "keyword",
        }
    }
}
