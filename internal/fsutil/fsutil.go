// Package fsutil writes files that are whole or not there at all, also after a
// power failure, and that nobody but their owner reads.
package fsutil

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// maxPrivate bounds what ReadPrivate reads, in bytes: settings, not data.
const maxPrivate = 64 << 10

// WriteFile puts data into the place of the file: readers, and a start after a
// power failure, find the old content or the new. The file's mode is 0600.
func WriteFile(path string, data []byte) error {
	_, err := Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	return err
}

// Write is WriteFile for what write writes, and returns its size in bytes. When it
// fails, what was at path still is.
func Write(path string, write func(io.Writer) error) (size int64, err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return 0, err
	}
	if size, err = fill(tmp, write); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(tmp.Name()))
	}
	return size, SyncDir(dir)
}

func fill(f *os.File, write func(io.Writer) error) (size int64, err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	if err = write(f); err != nil {
		return 0, err
	}
	if size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return 0, err
	}
	return size, f.Sync()
}

// ReadPrivate reads a small file that WriteFile wrote. Should others be able to
// read it, as after a careless copy, it takes that from them. The error of a file
// that is not there wraps os.ErrNotExist.
func ReadPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if fi, err := f.Stat(); err == nil && fi.Mode().Perm()&0o077 != 0 {
		// Mounts with fixed modes refuse this; then there is nothing to be done here.
		_ = f.Chmod(0o600)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPrivate+1))
	if err == nil && len(b) > maxPrivate {
		err = fmt.Errorf("%s is larger than %d bytes, so it is not hone's: move it away", path, maxPrivate)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Remove deletes a file for good; one that is not there is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes a new name in a directory durable: a file's content alone does not
// outlive a power failure.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" { // directories cannot be synced there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
