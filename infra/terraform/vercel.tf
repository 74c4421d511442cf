# The project on Vercel. Deployments are made by infra/scripts/deploy --platform vercel, not by a push.

resource "vercel_project" "portal" {
  name = var.vercel_project

  # syd1 is Sydney (S0-072); vercel.json says the same.
  serverless_function_region = "syd1"

  oidc_token_config = {
    issuer_mode = "team"
  }

  # Previews are for the team's members. infra/scripts/deploy proves a deployment at its own address
  # with VERCEL_AUTOMATION_BYPASS_SECRET.
  vercel_authentication = {
    deployment_type = "standard_protection"
  }
}

# What is no secret. Secrets are typed into `vercel env add NAME production --sensitive`, which keeps
# them out of the state.
resource "vercel_project_environment_variable" "setting" {
  for_each = merge(var.settings, {
    AWS_REGION            = "ap-southeast-2" # Vercel would say where the function runs
    AWS_ROLE_ARN          = aws_iam_role.vercel.arn
    DEAD_LETTER_QUEUE_URL = "https://sqs.ap-southeast-2.amazonaws.com/${var.aws_account}/${var.dead_letters}"
    PUBLIC_URL            = "https://${var.host}"
    TABLE_NAME            = var.table
  })

  project_id = vercel_project.portal.id
  key        = each.key
  value      = each.value
  target     = ["production"]
}

resource "vercel_project_domain" "portal" {
  project_id = vercel_project.portal.id
  domain     = var.host
}
