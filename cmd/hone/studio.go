package main

import (
	"context"
	"errors"

	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/sampler"
)

// studio is the Label Studio the sampler writes to: whichever the link has now.
type studio struct{ link *connect.Link }

var _ sampler.LabelStudio = studio{}

func write(t event.TaskID, p sampler.Prediction) labelstudio.PredictionWrite {
	w := labelstudio.PredictionWrite{Task: t, Score: p.Score, ModelVersion: p.ModelVersion}
	if p.Result != nil {
		w.Result = p.Result
	}
	return w
}

func (s studio) CreatePrediction(ctx context.Context, _ event.ProjectID, t event.TaskID, p sampler.Prediction) (sampler.PredictionID, error) {
	c, err := s.link.Client()
	if err != nil {
		return 0, err
	}
	row, err := c.CreatePrediction(ctx, write(t, p))
	return sampler.PredictionID(row.ID), err
}

func (s studio) UpdatePrediction(ctx context.Context, _ event.ProjectID, id sampler.PredictionID, p sampler.Prediction) error {
	c, err := s.link.Client()
	if err != nil {
		return err
	}
	_, err = c.UpdatePrediction(ctx, labelstudio.PredictionID(id), write(0, p))
	return err
}

func (s studio) DeletePrediction(ctx context.Context, _ event.ProjectID, id sampler.PredictionID) error {
	c, err := s.link.Client()
	if err != nil {
		return err
	}
	return c.DeletePrediction(ctx, labelstudio.PredictionID(id))
}

func (s studio) Predictions(ctx context.Context, p event.ProjectID, yield func(sampler.Row) error) error {
	c, err := s.link.Client()
	if err != nil {
		return err
	}
	for row, err := range c.Predictions(ctx, p) {
		if err != nil {
			return err
		}
		if err := yield(sampler.Row{ID: sampler.PredictionID(row.ID), Task: row.Task, ModelVersion: row.ModelVersion, Score: row.Score}); err != nil {
			return err
		}
	}
	return nil
}

func (s studio) ImportPredictions(ctx context.Context, p event.ProjectID, tasks []event.TaskID, preds []sampler.Prediction) (int, error) {
	c, err := s.link.Client()
	if err != nil {
		return 0, err
	}
	list := make([]labelstudio.PredictionWrite, len(preds))
	for i := range preds {
		list[i] = write(tasks[i], preds[i])
	}
	err = c.ImportPredictions(ctx, p, list)
	var partial *labelstudio.PartialImportError
	if errors.As(err, &partial) {
		return partial.Created, nil
	}
	if err != nil {
		return 0, err
	}
	return len(list), nil
}

func (s studio) ModelVersion(ctx context.Context, p event.ProjectID) (string, map[string]int, error) {
	c, err := s.link.Client()
	if err != nil {
		return "", nil, err
	}
	project, err := c.Project(ctx, p)
	if err != nil {
		return "", nil, err
	}
	rows, err := c.ModelVersions(ctx, p)
	return project.ModelVersion, rows, err
}

func (s studio) SetModelVersion(ctx context.Context, p event.ProjectID, version string) error {
	c, err := s.link.Client()
	if err != nil {
		return err
	}
	_, err = c.PatchProject(ctx, p, labelstudio.ProjectPatch{ModelVersion: &version})
	return err
}

func (s studio) DeleteModelVersion(ctx context.Context, p event.ProjectID, version string) error {
	c, err := s.link.Client()
	if err != nil {
		return err
	}
	_, err = c.DeleteModelVersion(ctx, p, version)
	return err
}
