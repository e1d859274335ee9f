package door

import "github.com/ats-auth/ats-auth/internal/dialect/awx"

// field describes a field of an object to OPTIONS.
type field struct {
	Type       string      `json:"type"`
	Required   *bool       `json:"required,omitempty"`
	ReadOnly   bool        `json:"read_only,omitempty"`
	Label      string      `json:"label"`
	HelpText   string      `json:"help_text,omitempty"`
	MaxLength  int         `json:"max_length,omitempty"`
	Choices    [][2]string `json:"choices,omitempty"`
	Default    any         `json:"default,omitempty"`
	Filterable bool        `json:"filterable"`

	name     string
	required bool
}

func readable(fields []field) map[string]field {
	shown := map[string]field{}
	for _, f := range fields {
		f.Default, f.ReadOnly = nil, false
		shown[f.name] = f
	}
	return shown
}

func writable(fields []field) map[string]field {
	taken := map[string]field{}
	for _, f := range fields {
		if !f.ReadOnly {
			f.Required = &f.required
			taken[f.name] = f
		}
	}
	return taken
}

func choices(values []string) (list [][2]string) {
	for _, value := range values {
		list = append(list, [2]string{value, value})
	}
	return list
}

// common are the fields that all objects begin with.
func common(what string, more ...field) []field {
	return append([]field{
		{name: "id", Type: "integer", Label: "ID", HelpText: "Database ID for this " + what + ".", ReadOnly: true, Filterable: true},
		{name: "type", Type: "choice", Label: "Type", HelpText: "Data type for this " + what + ".", ReadOnly: true},
		{name: "url", Type: "string", Label: "Url", HelpText: "URL for this " + what + ".", ReadOnly: true},
		{name: "related", Type: "object", Label: "Related", HelpText: "Related resources.", ReadOnly: true},
		{name: "summary_fields", Type: "object", Label: "Summary fields", HelpText: "Names of related resources.", ReadOnly: true},
		{name: "created", Type: "datetime", Label: "Created", HelpText: "When this " + what + " was created.", ReadOnly: true},
		{name: "modified", Type: "datetime", Label: "Modified", HelpText: "When this " + what + " was last modified.", ReadOnly: true},
	}, more...)
}

func userFields() []field {
	return common(
		"user",
		field{name: "username", Type: "string", Label: "Username", ReadOnly: true, Filterable: true},
		field{name: "first_name", Type: "string", Label: "First name", ReadOnly: true},
		field{name: "last_name", Type: "string", Label: "Last name", ReadOnly: true},
		field{name: "email", Type: "string", Label: "Email address", ReadOnly: true},
		field{name: "is_superuser", Type: "boolean", Label: "Superuser status", ReadOnly: true},
		field{name: "is_system_auditor", Type: "boolean", Label: "Is system auditor", ReadOnly: true},
	)
}

func organizationFields() []field {
	return common(
		"organization",
		field{name: "name", Type: "string", Label: "Name", HelpText: "Name of this organization.", MaxLength: awx.MaxName, required: true, Filterable: true},
		field{name: "description", Type: "string", Label: "Description", HelpText: "Optional description of this organization.", Default: ""},
	)
}

func applicationFields() []field {
	return common(
		"application",
		field{name: "name", Type: "string", Label: "Name", HelpText: "Name of this application.", MaxLength: awx.MaxName, required: true, Filterable: true},
		field{name: "description", Type: "string", Label: "Description", HelpText: "Optional description of this application.", Default: ""},
		field{name: "user", Type: "id", Label: "User", HelpText: "The user whose application it is; none: its organization's alone."},
		field{name: "client_id", Type: "string", Label: "Client id", ReadOnly: true},
		field{name: "client_secret", Type: "string", Label: "Client secret", HelpText: "Shown once, when it is made.", ReadOnly: true},
		field{name: "client_type", Type: "choice", Label: "Client type", HelpText: "Set to Public or Confidential depending on how secure the client device is.", Choices: choices(awx.ClientTypes()), required: true},
		field{name: "redirect_uris", Type: "string", Label: "Redirect uris", HelpText: "Allowed URIs list, space separated"},
		field{name: "authorization_grant_type", Type: "choice", Label: "Authorization grant type", HelpText: "The Grant type the user must use for acquire tokens for this application.", Choices: choices(awx.GrantTypes()), required: true},
		field{name: "skip_authorization", Type: "boolean", Label: "Skip authorization", HelpText: "Set True to skip authorization step for completely trusted applications.", Default: false},
		field{name: "organization", Type: "id", Label: "Organization", HelpText: "Organization containing this application.", required: true},
	)
}

func tokenFields() []field {
	return common(
		"access token",
		field{name: "description", Type: "string", Label: "Description", HelpText: "Optional description of this access token.", MaxLength: awx.MaxDescription, Default: ""},
		field{name: "user", Type: "id", Label: "User", HelpText: "The user representing the token owner", ReadOnly: true},
		field{name: "token", Type: "string", Label: "Token", ReadOnly: true},
		field{name: "refresh_token", Type: "string", Label: "Refresh token", ReadOnly: true},
		field{name: "application", Type: "id", Label: "Application", HelpText: "The application of this token; none for a personal one."},
		field{name: "expires", Type: "datetime", Label: "Expires", ReadOnly: true},
		field{name: "scope", Type: "string", Label: "Scope", HelpText: "Allowed scopes, further restricts user's permissions. " + awx.MessageScope, Default: awx.ScopeWrite},
	)
}
