package daemon

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// service is one of docs/deploy/compose.yaml, as far as it concerns the server.
type service struct {
	Image       string
	Command     []string
	Environment map[string]string
	NetworkMode string   `yaml:"network_mode"`
	Ports       []string `yaml:"ports"`
	Volumes     []string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
}

func composeServices(t *testing.T) map[string]service { return servicesOf(t, "compose.yaml") }

func servicesOf(t *testing.T, file string) map[string]service {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Services map[string]service }
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all.Services
}

var interpolation = regexp.MustCompile(`\$\{\w+:-([^}]*)\}`)

// environ is the service's environment where nobody set what it interpolates.
func (s service) environ() []string {
	var list []string
	for name, value := range s.Environment {
		list = append(list, name+"="+interpolation.ReplaceAllString(value, "$1"))
	}
	return list
}

// runAs runs a command line as the image would, with its state in dir.
func runAs(t *testing.T, dir string, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	code = Run(t.Context(), Env{
		Args: append([]string{"ats-auth-server"}, args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &complaints,
		Environ: append(slices.Clone(environ), "XDG_STATE_HOME="+dir, "XDG_CONFIG_HOME="+dir), HomeDir: "/", UID: imageUID,
		Interactive: func(any) bool { return false },
	})
	return code, out.String(), complaints.String()
}

const imageUID = 65532

func TestTheServerKnowsEveryVariableOfTheComposeFile(t *testing.T) {
	services := composeServices(t)
	if want := []string{"production", "tenant", "tokens"}; !slices.Equal(slices.Sorted(maps.Keys(services)), want) {
		t.Errorf("services are %v, want %v", slices.Sorted(maps.Keys(services)), want)
	}
	for name, s := range services {
		if s.Image != "ats-auth/${API_NAME:-tokens}" {
			t.Errorf("%s runs %s, which make build.api does not build", name, s.Image)
		}
		code, stdout, stderr := runAs(t, t.TempDir(), s.environ(), "--print-config")
		if code != exitOK {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
			continue
		}
		for variable := range s.Environment {
			if !strings.Contains(stdout, "# "+variable+"\n") {
				t.Errorf("%s: %s sets nothing:\n%s", name, variable, stdout)
			}
		}
	}
}

func TestOpenMintingIsOnlyOnTheLoopbackOfTheHost(t *testing.T) {
	open := 0
	for name, s := range composeServices(t) {
		for variable := range s.Environment {
			if !strings.HasSuffix(variable, "_OPEN_MINTING") {
				continue
			}
			open++
			if !loopback(s.Environment["ATS_AUTH_SERVER_SERVER_LISTEN"]) || s.NetworkMode != "host" || len(s.Ports) != 0 {
				t.Errorf("%s mints for everybody at %s, network %q", name, s.Environment["ATS_AUTH_SERVER_SERVER_LISTEN"], s.NetworkMode)
			}
		}
	}
	if open != 1 {
		t.Errorf("%d services mint for everybody, want tokens alone", open)
	}
}

func TestTheTenantOfTheComposeFileIsMadeOnce(t *testing.T) {
	services, dir := composeServices(t), t.TempDir()
	if got := services["tokens"].DependsOn["tenant"].Condition; got != "service_completed_successfully" {
		t.Errorf("tokens waits for tenant until %q", got)
	}
	for range 2 {
		if code, _, stderr := runAs(t, dir, services["tenant"].environ(), services["tenant"].Command...); code != exitOK {
			t.Fatalf("%v: exit %d: %s", services["tenant"].Command, code, stderr)
		}
	}
	code, stdout, stderr := runAs(t, dir, services["tokens"].environ(), "tenant", "list", "-f", "json")
	if code != exitOK || strings.Count(stdout, `"dev"`) == 0 {
		t.Errorf("tenant list: exit %d: %s%s", code, stdout, stderr)
	}
}

// TestTheImageHoldsAServerThatIsNotRoot reads the Containerfile's last stage.
func TestTheImageHoldsAServerThatIsNotRoot(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, stage, found := strings.Cut(string(text), "\nFROM scratch\n")
	if !found || strings.Contains(stage, "\nFROM ") || strings.Contains(stage, "\nRUN ") {
		t.Fatal("the last stage is not scratch with copies alone")
	}
	says := map[string]string{}
	for line := range strings.Lines(stage) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		says[word] = rest
	}
	image := app{Env: Env{UID: imageUID, HomeDir: "/", Environ: []string{says["ENV"]}}}
	for word, want := range map[string]string{
		"USER": "65532:65532", "ENTRYPOINT": `["/usr/local/bin/ats-auth-server"]`, "VOLUME": image.stateDir(), "WORKDIR": image.stateDir(),
	} {
		if says[word] != want {
			t.Errorf("%s is %q, want %q", word, says[word], want)
		}
	}
	for name, s := range composeServices(t) {
		if len(s.Volumes) == 0 || !strings.HasSuffix(s.Volumes[0], ":"+image.stateDir()) {
			t.Errorf("%s mounts %v: the state of the image is in %s", name, s.Volumes, image.stateDir())
		}
	}
	module, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	goes := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))
	if goes == nil || !strings.Contains(string(text), "=golang:"+goes[1]+"-") {
		t.Errorf("the first stage is not the Go of go.mod, %v", goes)
	}
}

// TestTheImageIsBuiltByTheFirstEngineThatAnswers runs the script of make
// build.api where no engine is but those that the test puts there.
func TestTheImageIsBuiltByTheFirstEngineThatAnswers(t *testing.T) {
	const builds = "#!/bin/sh\n[ $1 = info ] || echo \"${0##*/} $*\"\n"
	const fails = "#!/bin/sh\n[ $1 = info ] || { echo no network; exit 125; }\n"
	const silent = "#!/bin/sh\nexit 1\n"
	for name, c := range map[string]struct {
		engines  map[string]string
		environ  []string
		code     int
		says     []string
		saysNone string
	}{
		"the only one":           {map[string]string{"buildah": builds}, nil, 0, []string{"buildah build -f Containerfile -t ats-auth/tokens ."}, "hint:"},
		"the first":              {map[string]string{"podman": builds, "docker": builds}, nil, 0, []string{"docker build "}, "podman build"},
		"not the silent":         {map[string]string{"podman": builds, "docker": silent}, nil, 0, []string{"podman build "}, "docker"},
		"the one asked":          {map[string]string{"podman": builds, "docker": builds}, []string{"ENGINE=podman"}, 0, []string{"podman build "}, "docker build"},
		"name and flags":         {map[string]string{"docker": builds}, []string{"API_NAME=authn", "BUILD_FLAGS=--network host"}, 0, []string{"-t ats-auth/authn --network host ."}, "tokens"},
		"a name that is not one": {map[string]string{"docker": builds}, []string{"API_NAME=a b"}, 2, []string{"API_NAME=a b"}, "docker build"},
		"none": {nil, nil, 1, []string{
			"docker, podman, nerdctl, buildah", "./bin/ats-auth-server\n",
		}, "without an answer"},
		"one that cannot build": {map[string]string{"podman": fails, "docker": silent, "buildah": builds}, nil, 125, []string{
			"no network\n", "ats-auth/tokens is not built: podman ended with exit code 125\n", "./bin/ats-auth-server\n",
		}, "buildah build"},
		"only a silent one": {map[string]string{"docker": silent}, nil, 1, []string{"without an answer: docker"}, "podman build"},
	} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			for engine, script := range c.engines {
				if err := os.WriteFile(filepath.Join(bin, engine), []byte(script), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			code, said := buildImage(t, bin, c.environ)
			for _, want := range c.says {
				if code != c.code || !strings.Contains(said, want) {
					t.Errorf("exit %d, want %d with %q:\n%s", code, c.code, want, said)
				}
			}
			if strings.Contains(said, c.saysNone) {
				t.Errorf("says %q:\n%s", c.saysNone, said)
			}
		})
	}
}

// buildImage runs the script with the programs of bin and cat, no others.
func buildImage(t *testing.T, bin string, environ []string) (code int, said string) {
	t.Helper()
	for _, tool := range []string{"sh", "cat"} {
		found, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(found, filepath.Join(bin, path.Base(tool))); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(filepath.Join(bin, "sh"), filepath.Join("..", "tools", "image.sh"))
	c.Env = append([]string{"PATH=" + bin}, environ...)
	output, err := c.CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(output)
}

// TestWithoutAnEngineTheSameServiceRuns compares what the script tells a person
// to run with what the compose file runs.
func TestWithoutAnEngineTheSameServiceRuns(t *testing.T) {
	_, said := buildImage(t, t.TempDir(), nil)
	services := composeServices(t)
	for name, value := range services["tokens"].Environment {
		if !strings.Contains(said, "  export "+name+"="+value+"\n") {
			t.Errorf("%s=%s is not in:\n%s", name, value, said)
		}
	}
	for _, word := range services["tenant"].Command {
		if !strings.Contains(said, strings.Replace(word, "=", " ", 1)) {
			t.Errorf("%s is not in:\n%s", word, said)
		}
	}
}
