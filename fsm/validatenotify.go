package fsm

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// notify checks whom a job tells of what.
func (v *validator) notify(s *JobSpec) {
	v.duration("expected_duration", s.ExpectedDuration)
	if len(s.Notify) > MaxNotifyBlocks {
		v.add("notify", "at most %d notify blocks, found %d", MaxNotifyBlocks, len(s.Notify))
	}
	for i := range s.Notify {
		v.notifyBlock(fmt.Sprintf("notify[%d]", i), s, &s.Notify[i])
	}
}

func (v *validator) notifyBlock(path string, s *JobSpec, n *Notify) {
	if n.Kind != NotifyWebhook && n.Kind != NotifyExec {
		v.add(path, "%q: want notify \"webhook\" or notify \"exec\"", n.Kind)
		return
	}
	v.events(path+" on", s, n.On)
	if n.Timeout < 0 || n.Timeout > MaxNotifyTimeout {
		v.add(path+" timeout", "%s is outside 0s to %s", n.Timeout, MaxNotifyTimeout)
	}
	if size := len(encode(n)); size > MaxNotifyBytes {
		v.add(path, "the block takes %d bytes, at most %d are allowed", size, MaxNotifyBytes)
	}
	if n.Kind == NotifyWebhook {
		v.webhook(path, n)
	} else {
		v.notifyExec(path, n)
	}
}

func (v *validator) events(path string, s *JobSpec, on []string) {
	if len(on) == 0 {
		v.add(path, "want at least one of %s", strings.Join(EventNames, ", "))
	}
	seen := map[string]bool{}
	for _, e := range on {
		switch {
		case !slices.Contains(EventNames, e):
			v.add(path, "%q: want one of %s", e, strings.Join(EventNames, ", "))
		case seen[e]:
			v.add(path, "names %q twice", e)
		case e == EventSlow && s.ExpectedDuration == 0:
			v.add(path, "%q needs the job's expected_duration", e)
		}
		seen[e] = true
	}
}

func (v *validator) webhook(path string, n *Notify) {
	if n.Command != "" || len(n.Args) > 0 || len(n.Env) > 0 || n.User != "" {
		v.add(path, "a webhook takes no command, args, env and user: those are for notify \"exec\"")
	}
	u, err := url.Parse(n.URL)
	switch {
	case n.URL == "":
		v.add(path+" url", "a webhook needs a url")
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		v.add(path+" url", "want a form such as https://host/path")
	}
	switch {
	case n.Secret != "" && n.SecretFile != "":
		v.add(path+" secret_file", "secret and secret_file exclude each other")
	case n.Secret == RedactedSecret:
		v.add(path+" secret", "%q is what is shown in place of a secret: give the secret itself", RedactedSecret)
	}
	if n.SecretFile != "" && (!isAbsolute(n.SecretFile)) {
		v.add(path+" secret_file", "%q: want an absolute path", n.SecretFile)
	}
}

func isAbsolute(p string) bool { return path.IsAbs(p) && !strings.ContainsRune(p, 0) }

func (v *validator) notifyExec(path string, n *Notify) {
	if n.URL != "" || n.Secret != "" || n.SecretFile != "" {
		v.add(path, "an exec takes no url, secret and secret_file: those are for notify \"webhook\"")
	}
	if n.Command == "" {
		v.add(path+" command", "an exec needs a command")
	}
	if slices.ContainsFunc(append([]string{n.Command}, n.Args...), func(s string) bool { return strings.ContainsRune(s, 0) }) {
		v.add(path+" args", "a command line cannot hold a zero byte")
	}
	v.user(path+" user", n.User)
	for _, name := range slices.Sorted(maps.Keys(n.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(n.Env[name], 0) {
			v.add(path+" env", "%q is no name of an environment variable, or has a value with a zero byte", name)
		}
	}
}
