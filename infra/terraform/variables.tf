# No variable is a secret: what is one is typed nowhere here.

variable "environment" {
  description = "Whose this is: each environment has a state, a stack and a project on Vercel of its own."
  type        = string

  validation {
    condition     = contains(["production", "staging"], var.environment)
    error_message = "An environment is production or staging."
  }
}

variable "aws_account" {
  description = "The account of AWS: nothing is changed in another one by mistake."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.aws_account))
    error_message = "An account of AWS has twelve digits."
  }
}

variable "stack" {
  description = "The stack that infra/scripts/deploy made: it owns the table and the queue."
  type        = string
  default     = "portal"
}

variable "table" {
  description = "The table's name, as the stack says it (logical id Table)."
  type        = string
}

variable "dead_letters" {
  description = "The name of the queue of dead letters, as the stack says it (logical id DeadLetters)."
  type        = string
}

variable "vercel_team" {
  description = "The team's slug on Vercel, as in vercel.com/<slug>."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+$", var.vercel_team))
    error_message = "A slug has small letters, digits and hyphens: it is a part of whom AWS trusts."
  }
}

variable "vercel_project" {
  description = "The project's name on Vercel."
  type        = string
  default     = "motion-mavericks-portal"

  validation {
    condition     = can(regex("^[a-z0-9._-]+$", var.vercel_project))
    error_message = "A name has small letters, digits, dots, hyphens and underscores: it is a part of whom AWS trusts."
  }
}

variable "zone" {
  description = "The hosted zone at Route 53, such as example.com."
  type        = string
}

variable "host" {
  description = "The portal's own name, such as portal.example.com."
  type        = string
}

variable "on_call" {
  description = "Who is mailed when an alarm goes off."
  type        = string
}

variable "settings" {
  description = "Variables of the functions that are no secrets, as README.md of the repository explains them."
  type        = map(string)

  validation {
    condition = length(setintersection(keys(var.settings), [
      "AUDIT_SIGNING_KEY", "CRON_SECRET", "GRANT_KEY", "MUX_SIGNING_PRIVATE_KEY", "MUX_TOKEN_SECRET",
      "MUX_WEBHOOK_SIGNING_SECRET", "OTEL_EXPORTER_OTLP_HEADERS", "PSEUDONYM_KEY", "SMTP_URL",
    ])) == 0
    error_message = "Secrets are not given to Terraform, whose state would hold them: see README.md."
  }
}
