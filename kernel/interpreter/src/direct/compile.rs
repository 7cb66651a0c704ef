use std::{fs, io, path::PathBuf, sync::Arc, thread};

use super::generate::Generated;
use crate::interrupts::Interrupts;
use crate::toolchain::{
    Compilation, INCLUDED, Linker, Product, SpareCompiler, Until, WarmBuild, WarmBuildError,
    asks_for_libraries,
};

/// How much of a compilation is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only whether the cell is valid; nothing is run.
    Check,
    /// A shared object to run.
    Link,
}

/// Compiles cells in a directory of their own.
pub struct Compiler {
    directory: PathBuf,
    /// Links cells. Without it, rustc links.
    linker: Option<Linker>,
    spare: Arc<SpareCompiler>,
    /// Whether there is a second core, on which the next compiler can start while this one works.
    has_second_core: bool,
}

impl Compiler {
    /// A compiler that works in `directory`.
    ///
    /// # Errors
    /// When the files that it needs there cannot be created.
    pub fn new(build: WarmBuild, directory: PathBuf) -> Result<Self, WarmBuildError> {
        let has_second_core = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        let linker = Linker::prepare(&build, &directory);
        let product = if linker.is_some() { Product::Object } else { Product::Library };
        let spare = SpareCompiler::new(build, directory.clone(), product)?;
        Ok(Self { directory, linker, spare, has_second_core })
    }

    /// Compiles one generated crate. An interrupt stops the compiler.
    pub fn compile(
        &mut self,
        generated: &Generated,
        depth: Depth,
        level: u8,
        interrupts: &Interrupts,
    ) -> io::Result<Compilation> {
        let mut text = "";
        for file in &generated.files {
            if file.name == INCLUDED {
                text = &file.text;
            } else {
                fs::write(self.directory.join(&file.name), &file.text)?;
            }
        }
        let asks = generated.files.iter().any(|file| asks_for_libraries(&file.text));
        let product = if asks || self.linker.is_none() { Product::Library } else { Product::Object };
        let mut compilation = self.run(text, generated, depth, level, product, interrupts);
        if product == Product::Object
            && compilation.as_ref().is_ok_and(|compilation| compilation.not_linked)
            && !interrupts.requested()
        {
            // If libraries are in unusual places, the C compiler knows where.
            compilation = self.run(text, generated, depth, level, Product::Library, interrupts);
            if compilation.as_ref().is_ok_and(|compilation| compilation.succeeded) {
                // The linker is at fault, not the cell.
                self.linker = None;
                self.spare.set_product(Product::Library);
            }
        }
        for file in generated.files.iter().filter(|file| file.name != INCLUDED) {
            // A later cell that needs its items writes it again.
            let _ = fs::remove_file(self.directory.join(&file.name));
        }
        compilation
    }

    /// Runs one compiler and starts the next cell's beside it.
    fn run(
        &mut self,
        text: &str,
        generated: &Generated,
        depth: Depth,
        level: u8,
        product: Product,
        interrupts: &Interrupts,
    ) -> io::Result<Compilation> {
        let usual = level == 0 && generated.attributes.is_empty();
        let rustc = match usual.then(|| self.spare.take(product)).flatten() {
            Some(rustc) => rustc,
            None => self.spare.start(level, &generated.attributes, product)?,
        };
        let with = self.spare.linker_arguments();
        if self.has_second_core {
            self.spare.replenish();
        }
        let until = match (depth, product, &self.linker) {
            (Depth::Check, ..) => Until::Checked,
            (Depth::Link, Product::Object, Some(linker)) => Until::LinkedBy(linker, &with),
            (Depth::Link, ..) => Until::Linked,
        };
        let _watch = interrupts.compiling(rustc.group());
        rustc.finish(text, until)
    }

    /// The compilers of this session.
    pub fn spare(&self) -> &Arc<SpareCompiler> {
        &self.spare
    }

    /// Checks that the library to compile against is the one that is loaded.
    ///
    /// # Errors
    /// When it was rebuilt.
    pub fn check_unchanged(&self) -> Result<(), WarmBuildError> {
        self.spare.build().check_unchanged()
    }
}
