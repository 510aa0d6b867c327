package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/fsutil"
	"github.com/hone-ml/hone/state"
)

func newBackup(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Write a copy of the running hone's database to a file",
		Long: `Write a consistent copy of the running hone's database to FILE while it goes on;
without FILE to one in this directory that is named by the date and time.
The file appears only when it is complete. It holds what was learned, the texts
and annotations included, but no secret: neither the token that Label Studio gave,
which is in label-studio.json in the data directory, nor any key, password or
webhook secret of the configuration.`,
		Example: `  hone backup
  hone backup /var/backups/hone-$(date +%F).db`,
		Args: cobra.MaximumNArgs(1),
	}
	force := cmd.Flags().Bool("force", false, "replace FILE if it is there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		file, err := backupFile(args)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(file); err == nil && !*force {
			return fmt.Errorf("%s is there already: name another file, or give --force to replace it", file)
		}
		n, err := fsutil.Write(file, func(w io.Writer) error { return cl.Backup(cmd.Context(), w) })
		if err != nil {
			return err
		}
		c.printf("%s: %d bytes\n", file, n)
		return nil
	}
	return cmd
}

// backupFile is the file that was named, or one of this moment in the working directory.
func backupFile(args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	return filepath.Abs("hone-" + time.Now().Format("2006-01-02-150405") + ".db")
}

func newRestore(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the data directory's database",
		Long: `Put a backup in the place of the data directory's database. hone must not be
running there. Started again, it reconciles: what was labelled since the backup is
learned from Label Studio.

A backup holds no token. The one that Label Studio gave stays in a data directory
that has it; restored elsewhere, hone needs LABEL_STUDIO_URL and
LABEL_STUDIO_API_KEY, or that somebody presses "Validate and Save" for hone once
more in Label Studio under Settings > Model.`,
		Example: `  hone restore hone-2026-11-23.db
  hone restore hone-2026-11-23.db --data-dir /var/lib/hone --force`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%d files are given, and one is restored: hone restore FILE", len(args))
			}
			return nil
		},
	}
	force := cmd.Flags().Bool("force", false, "replace the database that is there; it is kept beside as hone.db.before-restore")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := c.config()
		if err != nil {
			return err
		}
		if err := restoreBackup(cmd.Context(), args[0], cfg.DataDir, *force); err != nil {
			return err
		}
		c.printf("%s is now the database in %s; start hone with `hone serve`\n", args[0], cfg.DataDir)
		return nil
	}
	return cmd
}

const (
	databaseName = "hone.db"
	replacedName = "hone.db.before-restore"
)

// restoreBackup replaces the database in dir by file. Whenever it fails, the database
// that was there still is.
func restoreBackup(ctx context.Context, file, dir string, force bool) error {
	in, err := os.Open(file) // #nosec G304 -- named by the user
	if err != nil {
		return fmt.Errorf("the backup: %w", err)
	}
	defer func() { _ = in.Close() }()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the data directory: %w", err)
	}
	if len(entries) > 0 && !force {
		return fmt.Errorf("%s is not empty: give --force to replace the database in it, or another --data-dir", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the data directory: %w", err)
	}
	// The copy is opened, and brought to this hone's schema, before anything is
	// replaced; the backup itself is never written to.
	trial, err := os.MkdirTemp(dir, ".restore-")
	if err != nil {
		return fmt.Errorf("the data directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(trial) }()
	copied := filepath.Join(trial, databaseName)
	if _, err := fsutil.Write(copied, func(w io.Writer) error { return copyAll(ctx, w, in) }); err != nil {
		return err
	}
	if err := checkOpens(ctx, trial); err != nil {
		return fmt.Errorf("%s is not a backup that this hone can read: %w", file, err)
	}
	target := filepath.Join(dir, databaseName)
	_, err = os.Lstat(target)
	there := err == nil
	if there {
		// Whoever holds the lock is running. It is let go of before the file is
		// moved, because a lock does not outlive its file's name.
		old, err := state.Open(dir, state.Options{})
		switch {
		case errors.Is(err, state.ErrInUse):
			return err
		case err == nil:
			if err := old.Close(); err != nil {
				return err
			}
		}
		// One that cannot be opened is a reason to restore, not to refuse.
	}
	if err := takeCredential(trial, dir); err != nil {
		return fmt.Errorf("the token in the backup: %w", err)
	}
	if there {
		if err := os.Rename(target, filepath.Join(dir, replacedName)); err != nil {
			return err
		}
	}
	return errors.Join(os.Rename(copied, target), fsutil.SyncDir(dir))
}

// takeCredential moves the token of an older hone's backup, which opening it has put
// beside it. The one that is there already is newer than any backup.
func takeCredential(from, to string) error {
	target := filepath.Join(to, state.CredentialFile)
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := os.Rename(filepath.Join(from, state.CredentialFile), target)
	if errors.Is(err, os.ErrNotExist) { // as in every backup of this hone
		return nil
	}
	return err
}

// checkOpens opens a database and reads every project once.
func checkOpens(ctx context.Context, dir string) error {
	s, err := state.Open(dir, state.Options{})
	if err != nil {
		return err
	}
	metas, err := s.Projects(ctx)
	for _, m := range metas {
		if err == nil {
			err = readAll(ctx, s, m.Project)
		}
	}
	return errors.Join(err, s.Close())
}

func readAll(ctx context.Context, s *state.Store, p event.ProjectID) error {
	stored, err := s.Load(ctx, p)
	if err != nil {
		return err
	}
	for _, err := range stored.Labelled {
		if err != nil {
			return err
		}
	}
	return nil
}

func copyAll(ctx context.Context, w io.Writer, r io.Reader) error {
	_, err := io.Copy(w, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	}))
	return err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
