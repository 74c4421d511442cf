# The portal's name. The zone is there already: whoever owns the domain made it.

data "aws_route53_zone" "own" {
  name = var.zone
}

# https://vercel.com/docs/domains/working-with-domains/add-a-domain
resource "aws_route53_record" "portal" {
  zone_id = data.aws_route53_zone.own.zone_id
  name    = var.host
  type    = "CNAME"
  ttl     = 300
  records = ["cname.vercel-dns.com"]
}
