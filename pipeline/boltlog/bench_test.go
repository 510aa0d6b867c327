package boltlog_test

import (
	"encoding/binary"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hone-ml/hone/pipeline/boltlog"
	"go.etcd.io/bbolt"
)

func BenchmarkAppend1(b *testing.B)  { benchmarkAppend(b, 1) }
func BenchmarkAppend64(b *testing.B) { benchmarkAppend(b, 64) }

// benchmarkAppend measures durable appends, and in the same run the least that
// bbolt itself needs: db.Batch with one Put of the same size. Rounds of the two
// alternate, so that a slow moment of the disk meets both.
func benchmarkAppend(b *testing.B, publishers int) {
	payload := make([]byte, 1024)
	db := openDB(b, filepath.Join(b.TempDir(), "log.db"), nil)
	defer db.Close()
	l, err := boltlog.New(db, boltlog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()

	plain := openDB(b, filepath.Join(b.TempDir(), "plain.db"), nil)
	defer plain.Close()
	plain.MaxBatchDelay = time.Millisecond
	bucket := []byte("plain")
	if err := plain.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bucket)
		return err
	}); err != nil {
		b.Fatal(err)
	}

	appendOne := func() error {
		_, err := l.Append("changes", payload)
		return err
	}
	putOne := func() error {
		return plain.Batch(func(tx *bbolt.Tx) error {
			bk := tx.Bucket(bucket)
			n, err := bk.NextSequence()
			if err != nil {
				return err
			}
			return bk.Put(binary.BigEndian.AppendUint64(nil, n), payload)
		})
	}

	var ours, theirs time.Duration
	const rounds = 8
	b.ResetTimer()
	for r := range rounds {
		n := (b.N*(r+1))/rounds - (b.N*r)/rounds
		ours += share(b, publishers, n, appendOne)
		b.StopTimer()
		theirs += share(b, publishers, n, putOne)
		b.StartTimer()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/ours.Seconds(), "append/s")
	b.ReportMetric(float64(b.N)/theirs.Seconds(), "plain/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-plain")
}

// share calls fn n times from some goroutines and returns how long it took.
func share(b *testing.B, workers, n int, fn func() error) time.Duration {
	start := time.Now()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				if err := fn(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}
