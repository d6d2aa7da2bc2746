package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rota-scheduler/rota/fsm"
)

// compareSpecs returns what differs between two versions of a job, one attribute
// each, in the order of their paths.
func compareSpecs(before, after *fsm.JobSpec) ([]specChange, error) {
	old, err := attributesOf(before)
	if err != nil {
		return nil, err
	}
	now, err := attributesOf(after)
	if err != nil {
		return nil, err
	}
	var changes []specChange
	for path, v := range old {
		if !bytes.Equal(v, now[path]) {
			changes = append(changes, specChange{path, v, now[path]})
		}
	}
	for path, v := range now {
		if _, both := old[path]; !both {
			changes = append(changes, specChange{path, nil, v})
		}
	}
	slices.SortFunc(changes, func(a, b specChange) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return changes, nil
}

// attributesOf spreads a spec out: each attribute that is no block, by a path as
// in the job file.
func attributesOf(spec *fsm.JobSpec) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("compare the versions of job %s: %w", spec.Key(), err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("compare the versions of job %s: %w", spec.Key(), err)
	}
	attributes := map[string]json.RawMessage{}
	if err := spread("", tree, attributes); err != nil {
		return nil, fmt.Errorf("compare the versions of job %s: %w", spec.Key(), err)
	}
	return attributes, nil
}

// blockNames are the words of the job file for what the JSON lists.
var blockNames = map[string]string{"tasks": "task", "schedules": "schedule", "params": "param", "blackout": "blackout", "constraints": "constraint", "affinities": "affinity", "spreads": "spread", "pools": "pool", "notify": "notify"}

func spread(prefix string, value any, into map[string]json.RawMessage) error {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if err := spreadList(prefix+name, prefix, name, inner, into); err != nil {
				return err
			}
		}
		return nil
	default:
		text, err := encodeValue(v)
		into[prefix] = text
		return err
	}
}

// spreadList spreads one member of an object; the elements of a list of blocks
// have paths of their own.
func spreadList(path, prefix, name string, value any, into map[string]json.RawMessage) error {
	list, isList := value.([]any)
	block, isBlock := blockNames[name]
	object, isObject := value.(map[string]any)
	switch {
	case isList && isBlock:
		for i, element := range list {
			label := fmt.Sprintf("%s[%d]", block, i)
			if fields, ok := element.(map[string]any); ok && fields["name"] != nil {
				label = fmt.Sprintf("%s %q", block, fields["name"])
			}
			if err := spread(prefix+label+" ", element, into); err != nil {
				return err
			}
		}
		return nil
	case isObject:
		return spread(path+" ", object, into)
	default:
		return spread(path, value, into)
	}
}

// encodeValue writes a value as JSON that people read.
func encodeValue(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}
