package lstest

import (
	"encoding/json"
	"net/http"
	"time"
)

// predictTasks retrieves predictions, from the first backend only.
func (s *Server) predictTasks(p *project, chosen []*task) {
	var b *backend
	s.locked(func() {
		if all := sortedRows(s.backends, func(b *backend) bool { return b.project == p }); len(all) > 0 {
			b = all[0]
		}
	})
	if b == nil {
		return
	}
	version, ready := s.updateState(b)
	if !ready {
		return
	}
	var todo []*task
	var body jsonObject
	s.locked(func() {
		rows := []jsonObject{}
		for _, t := range chosen {
			has := false
			for _, x := range t.preds {
				has = has || x.version == version
			}
			if !has {
				todo, rows = append(todo, t), append(rows, s.taskFull(t))
			}
		}
		body = jsonObject{"tasks": rows, "project": s.projectUID(p), "label_config": p.config, "params": jsonObject{"login": nil, "password": nil, "context": nil}}
	})
	if len(todo) == 0 {
		return
	}
	o, err := s.callBackend(b, http.MethodPost, "/predict", body, 100*time.Second)
	results, _ := o["results"].([]any)
	if err != nil || len(results) != len(todo) {
		return // Label Studio says 200 all the same
	}
	s.locked(func() { s.storePredictions(b, todo, results) })
}

// storePredictions stores what a backend answered. An item without a result is an
// abstention.
func (s *Server) storePredictions(b *backend, todo []*task, results []any) {
	for i, item := range results {
		list, isList := item.([]any)
		if !isList {
			list = []any{item}
		}
		for _, x := range list {
			encoded, err := json.Marshal(x)
			var v struct {
				Result  json.RawMessage
				Score   *float64
				Version *string `json:"model_version"`
			}
			if err != nil || json.Unmarshal(encoded, &v) != nil || v.Result == nil {
				continue
			}
			version := b.version
			setIfGiven(&version, v.Version)
			s.newPred(todo[i], predBody{Result: v.Result, Score: v.Score, Version: version})
		}
	}
}
