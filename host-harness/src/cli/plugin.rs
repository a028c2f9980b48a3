//! From files on disk to a running plugin, or one clear complaint.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use anyhow::{Context, anyhow};
use host_harness::{
    bundled,
    contract::{Issue, Manifest},
    sandbox::{Component, Loader, Options, Plugin, StartError},
};
use serde_json::Value;

use crate::cli::config_source::{self, ConfigOptions, ConfigSource, RECOMMENDED};

/// Where an operator's plugin and its configuration come from.
#[derive(Clone)]
pub(super) struct Source {
    /// A component; the bundled one if none.
    pub(super) file: Option<PathBuf>,
    /// Its configuration; if none, the safe profile of the bundled plugin, or the
    /// defaults of another.
    pub(super) config: Option<ConfigSource>,
    /// What the command line says beside it.
    pub(super) changes: ConfigOptions,
    /// How it is loaded.
    pub(super) loader: Loader,
    /// How it is run, but for its configuration.
    pub(super) options: Options,
    /// As it was loaded at the start.
    pub(super) loaded: OnceLock<Component>,
}

impl Source {
    /// Starts the plugin.
    pub(super) fn start(&self, max_tool_retries: u32) -> anyhow::Result<Arc<Plugin>> {
        let options = Options { config: self.json()?, max_tool_retries, ..self.options.clone() };
        let component = self.component()?;
        let plugin = Plugin::start(component, options).map_err(|error| self.complaint(error))?;
        self.tell(plugin.notices());
        Ok(Arc::new(plugin))
    }

    /// The same plugin once more, in one instance that serves no calls: for
    /// questions that are to leave no trace in the budgets and counters of the first.
    pub(super) fn start_aside(&self, max_tool_retries: u32) -> anyhow::Result<Arc<Plugin>> {
        let options = Options {
            config: self.json()?,
            max_tool_retries,
            shards: NonZeroUsize::MIN,
            ..self.options.clone()
        };
        let plugin = Plugin::start(self.component()?, options);
        Ok(Arc::new(plugin.map_err(|error| self.complaint(error))?))
    }

    fn component(&self) -> anyhow::Result<&Component> {
        if let Some(component) = self.loaded.get() {
            return Ok(component);
        }
        let component = match &self.file {
            Some(file) => self.loader.file(file)?,
            None => self.loader.bytes(bundled::NAME, bundled::COMPONENT)?,
        };
        Ok(self.loaded.get_or_init(|| component))
    }

    /// Reads the configuration, and the component if its file has changed, and
    /// puts them into force. Returns what was read. `replaced` hears whether a
    /// component that had changed is at work now.
    pub(super) fn reload(
        &self,
        plugin: &Plugin,
        replaced: impl Fn(bool),
    ) -> anyhow::Result<&'static str> {
        let json = self.json()?;
        let changed = match &self.file {
            Some(file) => {
                self.loader.changed_file(file, &plugin.digest()).inspect_err(|_| replaced(false))?
            }
            None => None,
        };
        let (what, notices) = match changed {
            Some(component) => {
                let notices = plugin.replace(&component, &json);
                replaced(notices.is_ok());
                ("the plugin", notices)
            }
            None => ("the configuration", plugin.reconfigure(&json)),
        };
        self.tell(&notices.map_err(|error| self.complaint(error))?);
        Ok(what)
    }

    /// All files that it may read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let signature = self.file.as_deref().map(Loader::signature_beside);
        let config = self.config.as_ref().and_then(ConfigSource::file);
        let files = [self.file.as_deref(), signature.as_deref(), config];
        files.into_iter().flatten().map(Path::to_path_buf).collect()
    }

    /// The configuration that is to be in force.
    pub(super) fn json(&self) -> anyhow::Result<String> {
        let text = match (&self.config, &self.file) {
            (Some(config), _) => config.json()?,
            (None, Some(_)) => Options::default().config,
            (None, None) => RECOMMENDED.to_owned(),
        };
        self.changes.applied(&self.place(), text)
    }

    /// What its configuration is called in messages.
    pub(super) fn place(&self) -> String {
        config_source::place(self.config.as_ref(), self.file.as_deref())
    }

    fn tell(&self, notices: &[Issue]) {
        for Issue { path, message } in notices {
            let colon = if path.is_empty() { "" } else { ": " };
            tracing::warn!("{}: {path}{colon}{message}", self.place());
        }
    }

    fn complaint(&self, error: StartError) -> anyhow::Error {
        match (&error, &self.file) {
            (StartError::Config(_), _) | (_, None) => complaint(&self.place(), &error),
            // Not the configuration is wrong, but the component.
            (_, Some(file)) => complaint(&file.display().to_string(), &error),
        }
    }
}

/// A component with the name that messages give it; the bundled one if there is no file.
pub(super) fn component(file: Option<&Path>) -> anyhow::Result<(String, Component)> {
    Ok(match file {
        Some(file) => (file.display().to_string(), Component::from_file(file)?),
        None => {
            let bundled = Component::from_bytes(bundled::NAME, bundled::COMPONENT)?;
            (bundled::NAME.to_owned(), bundled)
        }
    })
}

/// The JSON Schema of a plugin's configuration, laid out for people.
pub(super) fn schema(file: Option<&Path>) -> anyhow::Result<String> {
    let (place, component) = component(file)?;
    let schema = Described::of(&component).with_context(|| place.clone())?.schema;
    Ok(format!("{schema:#}"))
}

/// What a component says of itself before it is configured.
pub(super) struct Described {
    pub(super) manifest: Manifest,
    pub(super) schema: Value,
}

impl Described {
    pub(super) fn of(component: &Component) -> anyhow::Result<Self> {
        let (manifest, schema) = Plugin::introduce(component, &Options::default())?;
        let schema = serde_json::from_str(&schema).context("its configuration schema")?;
        Ok(Self { manifest, schema })
    }
}

/// Every problem on a line of its own, each with the file that it is in.
pub(super) fn complaint(place: &str, error: &dyn std::error::Error) -> anyhow::Error {
    let lines: Vec<_> = error.to_string().lines().map(|line| format!("{place}: {line}")).collect();
    anyhow!(lines.join("\n"))
}
