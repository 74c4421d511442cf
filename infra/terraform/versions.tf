# What AWS SAM does not own: the project on Vercel, names in DNS, how Vercel's functions come to
# credentials of AWS, where alarms go, and the shell of the secret.

terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
    vercel = {
      source  = "vercel/vercel"
      version = "~> 4.0"
    }
  }

  # The state names the account, and nothing secret: see README.md. Sydney, as everything (S0-072).
  backend "s3" {
    key          = "portal/terraform.tfstate"
    region       = "ap-southeast-2"
    encrypt      = true
    use_lockfile = true
  }
}

# Credentials: the usual ones of AWS, such as a profile; VERCEL_API_TOKEN for Vercel.
provider "aws" {
  region              = "ap-southeast-2"
  allowed_account_ids = [var.aws_account]

  default_tags {
    tags = { project = "motion-mavericks-portal", environment = var.environment }
  }
}

provider "vercel" {
  team = var.vercel_team
}
