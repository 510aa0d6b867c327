package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// splitVersionSettings brings the file from schema 2 to 3. Until then what the learner
// keeps of a project was part of the settings of its live version: now it is a record of
// its own, and each version holds its settings alone.
func splitVersionSettings(tx *bbolt.Tx) error {
	projects := projectsBucket(tx)
	var ids [][]byte // a bucket must not change while it is walked
	err := projects.ForEachBucket(func(k []byte) error {
		ids = append(ids, slices.Clone(k))
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := splitProject(projects.Bucket(id)); err != nil {
			return fmt.Errorf("project %x: %w", id, err)
		}
	}
	return nil
}

// splitProject splits the settings of one project's versions. A list of versions that
// cannot be read stays as it is: loading the project says so, and the others go on.
func splitProject(b *bbolt.Bucket) error {
	versions, ok := versionsOf(b)
	if !ok {
		return nil
	}
	learner := map[string]json.RawMessage{}
	for i := range versions {
		settings, rest := splitSettings(versions[i].Settings)
		versions[i].Settings = settings
		if versions[i].Live {
			learner = rest
			if i < len(versions)-1 {
				// Only a rollback makes live what is not the last: that is all that an older
				// hone wrote down of one.
				learner[schema2Pinned] = json.RawMessage("true")
			}
		}
	}
	state, err := json.Marshal(learner)
	if err != nil {
		return err
	}
	list, err := encodeJSON(versions)
	if err != nil {
		return err
	}
	return errors.Join(b.Put(keyVersions, list), b.Put(keyLearnerState, encodeLearnerState(state)))
}

// versionsOf are the versions of a project; ok is false when there are none, or they
// cannot be read.
func versionsOf(b *bbolt.Bucket) (versions []event.Version, ok bool) {
	v := b.Get(keyVersions)
	ok = v != nil && decodeJSON("versions", v, &versions) == nil
	return versions, ok
}

// The keys in schema 2's settings of a version that the split goes by: the settings by
// control, and that a rollback holds them.
const (
	schema2Heads  = "heads"
	schema2Pinned = "pinned"
)

// splitSettings takes apart what schema 2 had in the settings of a version. What cannot
// be read stays with the version: the learner says so, and takes its defaults.
func splitSettings(b []byte) (settings []byte, rest map[string]json.RawMessage) {
	all := map[string]json.RawMessage{}
	if len(b) == 0 || json.Unmarshal(b, &all) != nil || all == nil {
		return b, map[string]json.RawMessage{}
	}
	heads := map[string]json.RawMessage{}
	if h, ok := all[schema2Heads]; ok {
		heads[schema2Heads] = h
	}
	delete(all, schema2Heads)
	settings, err := json.Marshal(heads)
	if err != nil {
		return b, map[string]json.RawMessage{}
	}
	return settings, all
}
