"""Packs with their entries changed."""

import hashlib
import json
import warnings
import zipfile


class Tampered:
    """A pack's entries, to be changed and written again."""

    def __init__(self, file):
        self.file = file
        with zipfile.ZipFile(file) as archive:
            self.entries = {name: archive.read(name) for name in archive.namelist()}
        self.manifest = json.loads(self.entries.pop("manifest.json"))
        self.extra = []

    def trial(self, family):
        return next(trial for trial in self.manifest["trials"] if trial["family"]["name"] == family)

    def copies(self, family, count):
        """Leave only so many copies of a family's trial, each under a number and a fit key of its own."""
        found = self.trial(family)
        key = found["result"]["fit_key"]
        files = {name: content for name, content in self.entries.items() if name.startswith(f"fits/{key}/")}
        kept = {name: content for name, content in self.entries.items() if name.startswith("code/")}
        trials = []
        for number in range(count):
            trial = json.loads(json.dumps(found))
            trial["number"], trial["result"]["fit_key"] = number, f"{number:016x}"
            kept |= {name.replace(key, f"{number:016x}"): content for name, content in files.items()}
            trials.append(trial)
        self.manifest["trials"], self.entries = trials, kept
        return trials

    def put(self, trial, path, content):
        """Replace or add a file of a trial, and list it as it is."""
        listed = {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        trial["files"] = [file for file in trial["files"] if file["path"] != path] + [listed]
        self.entries[f"fits/{trial['result']['fit_key']}/{path}"] = content

    def write(self):
        with warnings.catch_warnings(), zipfile.ZipFile(self.file, "w", zipfile.ZIP_DEFLATED) as archive:
            warnings.simplefilter("ignore")  # of names that occur twice
            for name, content in [*self.entries.items(), *self.extra]:
                archive.writestr(name, content)
            archive.writestr("manifest.json", json.dumps(self.manifest))
