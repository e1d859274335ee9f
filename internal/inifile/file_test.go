package inifile

import (
	"slices"
	"strings"
	"testing"
)

// groups is a schema with an open key, and a shorter one that it begins like.
func groups() Schema {
	keys := []Key{{Name: "policy"}, {Name: "policy_", Open: true}, {Name: "policy_file"}, {Name: "secret", Secret: true}}
	return Schema{Sections: []string{"a"}, Keys: func(section string) ([]Key, error) {
		if section == "none" {
			return nil, nil
		}
		return keys, nil
	}}
}

func TestAnOpenKeyEndsAsItIsWritten(t *testing.T) {
	f, err := Parse("x.ini", []byte("[b]\npolicy = 1\npolicy_Ops.2-x = 2\nPOLICY_ops.2-X = `3`\nPolicy_File = 4\n[a]\n[b]\npolicy_q: 5\n"), groups())
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"policy": "1", "policy_Ops.2-x": "2", "policy_ops.2-X": "`3`", "policy_file": "4", "policy_q": "5"} {
		if got, there := f.Value("b", key); !there || got != want {
			t.Errorf("%s is %q, %v", key, got, there)
		}
	}
	if got, want := f.Keys("b"), []string{"policy", "policy_Ops.2-x", "policy_file", "policy_ops.2-X", "policy_q"}; !slices.Equal(got, want) {
		t.Errorf("the keys are %q, want %q", got, want)
	}
}

func TestSectionsComeInTheOrderOfTheFile(t *testing.T) {
	f, err := Parse("x.ini", []byte("[z]\n[b]\n[z]\n[a]\n"), groups())
	if err != nil {
		t.Fatal(err)
	}
	named := func(list []string) []string {
		return slices.DeleteFunc(list, func(name string) bool { return name == "DEFAULT" })
	}
	if got := named(f.Order()); !slices.Equal(got, []string{"z", "b", "a"}) {
		t.Errorf("they are %q", got)
	}
	if got := named(f.Sections()); !slices.Equal(got, []string{"a", "b", "z"}) {
		t.Errorf("sorted they are %q", got)
	}
}

func TestAMistypedOpenKeyIsCorrectedAndNoPieceOfASecretIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"polcy_ops = x":    `key "polcy_ops" in [a], did you mean "policy_ops"`,
		"policies_ops = x": `key "policies_ops" in [a], did you mean "policy_ops"`,
		"policy_a/b = x":   "key in [a]",
		"policy_ö = x":     "key in [a]",
		"policy_" + strings.Repeat("x", 65) + " = x":          "key in [a]",
		"secret = hunter2_\npolcy_canary = x":                 `key in [a]`,
		"polcy_canary_" + strings.Repeat("x", 24) + "=canary": `key in [a]`,
	} {
		_, err := Parse("x.ini", []byte("[a]\n"+text+"\n"), groups())
		if err == nil || !strings.HasSuffix(err.Error(), "unknown "+want) && !strings.Contains(err.Error(), "unknown "+want+", did you mean \"policy") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
