//! `deny.toml`, read by ourselves where cargo-deny is not installed: licences, bans, duplicate
//! versions, sources.
//!
//! Only what our file uses is understood, and a setting this reader does not know is an error: it
//! must never pass what cargo-deny would refuse because it skipped a line. It is stricter in one
//! point: a crate without a licence expression is refused, whatever its licence file says.

use std::collections::{BTreeMap, BTreeSet};

use semver::{Version, VersionReq};
use serde::{Deserialize, Deserializer};

use crate::cargo::{self, Workspace};
use crate::spdx;

/// What may stand in the dependency tree.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Licences {
    allow: BTreeSet<String>,
    #[serde(rename = "unused-allowed-license")]
    _unused: Allow,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bans {
    #[serde(rename = "multiple-versions")]
    _duplicates: Deny,
    #[serde(rename = "wildcards")]
    _wildcards: Deny,
    #[serde(rename = "allow-wildcard-paths")]
    _own_crates_need_no_version: bool,
    deny: Vec<Entry>,
    skip: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    #[serde(rename = "unknown-registry")]
    _registries: Deny,
    #[serde(rename = "unknown-git")]
    _repositories: Deny,
    allow_registry: BTreeSet<String>,
    allow_git: BTreeSet<String>,
}

/// The only level read where cargo-deny also knows `warn` and `allow`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Deny {
    Deny,
}

/// The only level read where cargo-deny also knows `warn` and `deny`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Allow {
    Allow,
}

/// A crate, all or some of its versions, and why it is listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "crate")]
    spec: Spec,
    reason: String,
}

/// `name`, `name@1.2.3` for one version, or `name:<1.2.3` for a range.
#[derive(Debug)]
struct Spec {
    name: String,
    versions: VersionReq,
}

/// The dependency tree, as `cargo metadata` prints it.
#[derive(Debug, Deserialize)]
pub(crate) struct Tree {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: Version,
    license: Option<String>,
    /// `None` for the crates of this repository.
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    req: String,
    /// Set for a crate of this repository.
    path: Option<String>,
}

impl Policy {
    /// Reads `deny.toml`.
    ///
    /// # Errors
    /// In words for the terminal, when it is missing or has a setting that is not understood.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self, String> {
        let file = workspace.root().join("deny.toml");
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        toml::from_str(&text).map_err(|error| format!("deny.toml: {error}"))
    }

    /// Everything in the tree that the policy refuses, one line each; empty when all is well.
    pub(crate) fn findings(&self, tree: &Tree) -> Vec<String> {
        let mut findings = Vec::new();
        for package in &tree.packages {
            findings.extend(self.licence_finding(package));
            findings.extend(self.ban_finding(package));
            findings.extend(self.source_finding(package));
            findings.extend(wildcard_findings(package));
        }
        findings.extend(self.duplicates(tree));
        findings.sort();
        findings
    }

    /// Entries of the skip list that no crate of the tree needs any more.
    pub(crate) fn idle_skips(&self, tree: &Tree) -> Vec<String> {
        let idle = |entry: &&Entry| !tree.packages.iter().any(|package| entry.spec.is(package));
        self.bans
            .skip
            .iter()
            .filter(idle)
            .map(|entry| entry.spec.name.clone())
            .collect()
    }

    fn licence_finding(&self, package: &Package) -> Option<String> {
        let Some(expression) = &package.license else {
            return Some(format!("{}: names no licence", package.label()));
        };
        match spdx::permits(expression, |licence| self.licenses.allow.contains(licence)) {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "{}: licence `{expression}` is not allowed",
                package.label()
            )),
            Err(error) => Some(format!("{}: licence: {error}", package.label())),
        }
    }

    fn ban_finding(&self, package: &Package) -> Option<String> {
        let ban = self.bans.deny.iter().find(|entry| entry.spec.is(package))?;
        Some(format!("{}: banned: {}", package.label(), ban.reason))
    }

    fn source_finding(&self, package: &Package) -> Option<String> {
        let source = package.source.as_ref()?;
        let known = match source.split_once('+') {
            Some(("registry", url)) => self.sources.allow_registry.contains(url),
            Some(("git", url)) => {
                let repository = url.split(['?', '#']).next().unwrap_or(url);
                self.sources.allow_git.contains(repository)
            }
            _ => false,
        };
        (!known).then(|| format!("{}: comes from {source}", package.label()))
    }

    fn duplicates(&self, tree: &Tree) -> Vec<String> {
        let mut versions: BTreeMap<&str, BTreeSet<&Version>> = BTreeMap::new();
        for package in &tree.packages {
            if !self.bans.skip.iter().any(|entry| entry.spec.is(package)) {
                versions
                    .entry(&package.name)
                    .or_default()
                    .insert(&package.version);
            }
        }
        let several = versions
            .into_iter()
            .filter(|(_, versions)| versions.len() > 1);
        several
            .map(|(name, versions)| duplicate_finding(name, &versions))
            .collect()
    }
}

impl Tree {
    /// Asks cargo for the tree of every platform the policy names, or, where their crates are not
    /// downloaded and cannot be, for this machine's alone. The text says which, when not all.
    ///
    /// # Errors
    /// In words for the terminal, when `Cargo.lock` is out of date or cargo does not answer.
    pub(crate) fn resolve(
        workspace: &Workspace,
        policy: &Policy,
    ) -> Result<(Self, String), String> {
        let all = policy
            .graph
            .targets
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>();
        if let Ok(tree) = Self::of_platforms(workspace, &all) {
            return Ok((tree, String::new()));
        }
        let version = cargo::answer(workspace.cargo().args(["version", "--verbose"]))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.ok_or("cargo does not say which platform this is")?;
        let tree = Self::of_platforms(workspace, &[host])?;
        Ok((
            tree,
            format!("{host} only, the crates of other platforms are not downloaded"),
        ))
    }

    fn of_platforms(workspace: &Workspace, platforms: &[&str]) -> Result<Self, String> {
        let mut command = workspace.cargo();
        command.args(["metadata", "--format-version", "1", "--locked"]);
        for platform in platforms {
            command.args(["--filter-platform", platform]);
        }
        let json = cargo::answer(&mut command)?;
        serde_json::from_str(&json).map_err(|error| format!("cargo metadata: {error}"))
    }
}

impl Spec {
    fn is(&self, package: &Package) -> bool {
        self.name == package.name && self.versions.matches(&package.version)
    }
}

impl std::str::FromStr for Spec {
    type Err = semver::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, versions) = if let Some((name, version)) = text.split_once('@') {
            (name, format!("={version}"))
        } else if let Some((name, range)) = text.split_once(':') {
            (name, range.to_owned())
        } else {
            (text, "*".to_owned())
        };
        Ok(Self {
            name: name.to_owned(),
            versions: versions.parse()?,
        })
    }
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| serde::de::Error::custom(format!("`{text}`: {error}")))
    }
}

impl Package {
    fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// Requirements like `"*"` in our own crates; what others write is their business.
fn wildcard_findings(package: &Package) -> Vec<String> {
    let any = |dependency: &&Dependency| dependency.path.is_none() && dependency.req == "*";
    let ours = package.source.is_none();
    let wild = package.dependencies.iter().filter(|_| ours).filter(any);
    wild.map(|it| format!("{}: takes any version of {}", package.label(), it.name))
        .collect()
}

fn duplicate_finding(name: &str, versions: &BTreeSet<&Version>) -> String {
    let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
    format!(
        "{name}: {} versions ({}): update, or give a reason in the skip list",
        versions.len(),
        versions.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [graph]
        targets = ["x86_64-unknown-linux-gnu"]
        [licenses]
        allow = ["MIT"]
        unused-allowed-license = "allow"
        [bans]
        multiple-versions = "deny"
        wildcards = "deny"
        allow-wildcard-paths = true
        deny = [{ crate = "lru:<0.16.3", reason = "unsound" }]
        skip = [{ crate = "syn:^2", reason = "on the way out" }]
        [sources]
        unknown-registry = "deny"
        unknown-git = "deny"
        allow-registry = ["https://crates.example"]
        allow-git = []
    "#;

    fn policy() -> Policy {
        toml::from_str(POLICY).unwrap()
    }

    fn package(name: &str, version: &str) -> Package {
        Package {
            name: name.into(),
            version: version.parse().unwrap(),
            license: Some("MIT".into()),
            source: Some("registry+https://crates.example".into()),
            dependencies: Vec::new(),
        }
    }

    fn findings(packages: Vec<Package>) -> Vec<String> {
        policy().findings(&Tree { packages })
    }

    #[test]
    fn tree_within_the_policy_has_no_findings() {
        assert_eq!(
            findings(vec![package("lru", "0.16.3"), package("a", "1.0.0")]),
            [""; 0]
        );
    }

    #[test]
    fn licences_outside_the_list_and_missing_ones_are_found() {
        let foreign = Package {
            license: Some("LGPL-3.0-only".into()),
            ..package("equix", "0.2.0")
        };
        let silent = Package {
            license: None,
            ..package("riblt", "0.1.0")
        };
        assert_eq!(
            findings(vec![foreign, silent]),
            [
                "equix 0.2.0: licence `LGPL-3.0-only` is not allowed",
                "riblt 0.1.0: names no licence"
            ]
        );
    }

    #[test]
    fn bans_hold_for_the_versions_they_name() {
        assert_eq!(
            findings(vec![package("lru", "0.16.2")]),
            ["lru 0.16.2: banned: unsound"]
        );
    }

    #[test]
    fn duplicates_are_found_unless_all_but_one_version_is_listed() {
        assert_eq!(
            findings(vec![package("syn", "2.0.1"), package("syn", "3.0.0")]),
            [""; 0]
        );
        assert_eq!(
            findings(vec![package("rand", "0.9.0"), package("rand", "0.10.0")]),
            ["rand: 2 versions (0.9.0, 0.10.0): update, or give a reason in the skip list"]
        );
    }

    #[test]
    fn sources_other_than_those_listed_are_found() {
        for source in [
            "registry+https://other.example",
            "git+https://git.example/x?rev=1#2",
            "odd",
        ] {
            let foreign = Package {
                source: Some(source.into()),
                ..package("x", "1.0.0")
            };
            assert_eq!(
                findings(vec![foreign]),
                [format!("x 1.0.0: comes from {source}")]
            );
        }
    }

    #[test]
    fn our_own_crates_name_the_versions_they_need() {
        let any = |path: Option<&str>| Dependency {
            name: "dep".into(),
            req: "*".into(),
            path: path.map(Into::into),
        };
        let dependencies = vec![any(None), any(Some("crates/dep"))];
        let ours = Package {
            source: None,
            dependencies,
            ..package("ours", "0.1.0")
        };
        assert_eq!(
            findings(vec![ours]),
            ["ours 0.1.0: takes any version of dep"]
        );
    }

    #[test]
    fn settings_that_are_not_understood_are_refused() {
        let lenient = POLICY.replace("unknown-git = \"deny\"", "unknown-git = \"allow\"");
        let longer = POLICY.replace("allow-git = []", "allow-git = []\nallow-org = []");
        for text in [lenient, longer] {
            assert!(toml::from_str::<Policy>(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn specs_name_all_versions_one_or_a_range() {
        let spec = |text: &str| text.parse::<Spec>().unwrap();
        assert!(spec("a").is(&package("a", "9.1.0")));
        assert!(spec("a@1.2.3").is(&package("a", "1.2.3")));
        assert!(!spec("a@1.2.3").is(&package("a", "1.2.4")));
        assert!(spec("a:^0.2").is(&package("a", "0.2.9")));
        assert!(!spec("a:^0.2").is(&package("b", "0.2.9")));
    }

    #[test]
    fn skip_entries_nobody_needs_are_named() {
        let tree = Tree {
            packages: vec![package("syn", "3.0.0")],
        };
        assert_eq!(policy().idle_skips(&tree), ["syn"]);
    }

    #[test]
    fn the_repository_keeps_its_policy() {
        let workspace = Workspace::find().unwrap();
        let policy = Policy::read(&workspace).unwrap();
        assert!(policy.licenses.allow.contains("MIT"));
    }
}
