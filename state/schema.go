package state

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// The file's layout. Keys are 8-byte ids, big-endian with the sign bit flipped,
// so that key order is id order.
//
//	state
//	  schema                   version of this layout
//	  settings/                until the file is rewritten: credential, then rewrite
//	  vectors/<encoder>/       hash of a text -> its vector; only where encoding is slow
//	  projects/
//	    <project>/
//	      meta, checkpoint, versions, learner, settings, watermark, confirmed, registration, comparison
//	      tasks/               task -> time, hash, position, data
//	      results/             task, annotation -> the annotation; only those that count
//	      annotations/         annotation -> task, time, hash; or a tombstone; position
//	      tombstones/          task -> position
//	      acquisitions/        task -> how it came to be asked
//	      accuracy/            number of labels -> estimates of the accuracy
//	      adapters/            name -> what the encoder was adapted by; only where one adapts
//
// A position is where in the log of changes something was last heard of.
// "annotations" answers what a deletion asks, which names the annotation only,
// and keeps the time of the last statement also for annotations that no longer
// count; "results" is one range per task.
var (
	keyRoot     = []byte("state")
	keySchema   = []byte("schema")
	keySettings = []byte("settings")
	keyProjects = []byte("projects")
	keyVectors  = []byte("vectors")

	// Where older hones kept the credential, and the mark that freed pages may still hold
	// it, or what was forgotten, and that the file is to be written anew.
	keyCredential = []byte("credential")
	keyRewrite    = []byte("rewrite")

	keyMeta       = []byte("meta")
	keyCheckpoint = []byte("checkpoint")
	keyVersions   = []byte("versions")
	keyWatermark  = []byte("watermark")
	keyConfirmed  = []byte("confirmed")
	keyPrelabel   = []byte("prelabel")

	keyLearnerState    = []byte("learner")
	keyProjectSettings = []byte("settings")
	keyRegistration    = []byte("registration")

	keyTasks       = []byte("tasks")
	keyResults     = []byte("results")
	keyAnnotations = []byte("annotations")
	keyTombstones  = []byte("tombstones")

	keyAcquisitions = []byte("acquisitions")
	keyAccuracy     = []byte("accuracy")
	keyAdapters     = []byte("adapters")
	keyComparison   = []byte("comparison")
	keyDraws        = []byte("draws")
)

// migrations[i] brings the file from schema i to i+1. A file without a schema is
// at 0. All steps that a file needs run in one transaction: it is either fully
// migrated or untouched.
var migrations = []func(tx *bbolt.Tx) error{
	createRoot,
	// Records may now say where in the log they were heard. Those of before are read
	// as they are; a hone of before could not read the new ones.
	func(*bbolt.Tx) error { return nil },
	splitVersionSettings,
}

func createRoot(tx *bbolt.Tx) error {
	root, err := tx.CreateBucketIfNotExists(keyRoot)
	if err != nil {
		return err
	}
	for _, name := range [][]byte{keySettings, keyProjects} {
		if _, err := root.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

func schemaOf(tx *bbolt.Tx) (uint64, error) {
	root := tx.Bucket(keyRoot)
	if root == nil {
		return 0, nil
	}
	v := root.Get(keySchema)
	switch len(v) {
	case 0:
		return 0, nil
	case 8:
		return binary.BigEndian.Uint64(v), nil
	}
	return 0, fmt.Errorf("the schema version is unreadable (%d bytes)", len(v))
}

// migrate brings the file to the newest schema of the table.
func migrate(db *bbolt.DB, table []func(tx *bbolt.Tx) error) error {
	newest := uint64(len(table))
	var have uint64
	err := db.View(func(tx *bbolt.Tx) (err error) {
		have, err = schemaOf(tx)
		return err
	})
	if err != nil || have == newest {
		return err
	}
	if have > newest {
		return fmt.Errorf("it was written by a newer hone (schema %d, this hone knows up to %d): "+
			"run that newer hone, or restore a backup made by this one", have, newest)
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for v := have; v < newest; v++ {
			if err := table[v](tx); err != nil {
				return fmt.Errorf("migrate from schema %d to %d (nothing was changed): %w", v, v+1, err)
			}
		}
		return tx.Bucket(keyRoot).Put(keySchema, binary.BigEndian.AppendUint64(nil, newest))
	})
}

// projectBuckets are one project's buckets within a transaction.
type projectBuckets struct {
	project, tasks, results, annotations, tombstones *bbolt.Bucket
}

func projectsBucket(tx *bbolt.Tx) *bbolt.Bucket {
	return tx.Bucket(keyRoot).Bucket(keyProjects)
}

// open returns a project's buckets for reading, nil when nothing is stored.
func openProject(tx *bbolt.Tx, p event.ProjectID) *projectBuckets {
	b := projectsBucket(tx).Bucket(idKey(p))
	if b == nil {
		return nil
	}
	return &projectBuckets{
		project: b, tasks: b.Bucket(keyTasks), results: b.Bucket(keyResults),
		annotations: b.Bucket(keyAnnotations), tombstones: b.Bucket(keyTombstones),
	}
}

// createProject returns a project's buckets for writing.
func createProject(tx *bbolt.Tx, p event.ProjectID) (*projectBuckets, error) {
	b, err := projectsBucket(tx).CreateBucketIfNotExists(idKey(p))
	if err != nil {
		return nil, err
	}
	out := &projectBuckets{project: b}
	for _, sub := range []struct {
		name []byte
		to   **bbolt.Bucket
	}{
		{keyTasks, &out.tasks},
		{keyResults, &out.results},
		{keyAnnotations, &out.annotations},
		{keyTombstones, &out.tombstones},
	} {
		if *sub.to, err = b.CreateBucketIfNotExists(sub.name); err != nil {
			return nil, err
		}
		(*sub.to).FillPercent = pageFill
	}
	return out, nil
}

// pageFill is the share of a page that stays filled when it is split. Ids rise, so most
// records are appended and earlier pages are rarely written again. The file is mapped, so
// half-empty pages would cost memory too.
const pageFill = 0.9
