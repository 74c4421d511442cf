//! A month of thirty days: two organisations, two hundred videos, five thousand views, one link in too many
//! hands, and one outage of Mux; and at its end the figures are Mux's own.

use axum::http::Method;
use reqwest::Client;
use serde_json::{Value, json};
use shared::{clock::Clock, costs::Money};
use time::{Date, Duration, OffsetDateTime, ext::NumericalDuration, macros::datetime};

use crate::support::{Actor, CRON, Caller, PLENTY, TestApp, actors::order, answer::text};

const BEGINNING: OffsetDateTime = datetime!(2026-04-01 00:00 UTC);
const DAYS: u32 = 30;
const MONTH: &str = "/api/cost-report?period=2026-04&tenant=all";

/// Of all views so many go by the link in too many hands; the rest is spread.
const OF_FIVE: u32 = 2;

/// Views of one day, five thousand in the month.
const VIEWS: u32 = 5_000 / DAYS + 1;

/// Videos, two hundred in the month.
const VIDEOS: u32 = 200;

/// How often somebody wishes to upload while Mux is out, once a minute.
const OUTAGE: u32 = 20;

/// The story, as far as it has come.
struct Month {
    test: TestApp,
    http: Client,
    clip: Vec<u8>,
    links: Vec<Value>,
    runaway: Option<Value>,
    uploads: u32,
    seen: u32,
    refused: u32,
}

impl Month {
    async fn begin() -> Self {
        let variables = vec![
            CRON,
            PLENTY,
            ("BUDGETS", "all=0.20"),
            ("GUARDRAILS", "pause-links=enforce"),
            ("SHARE_MAX_DAYS", "60"),
        ];
        let test = TestApp::given(variables).await;
        let until = BEGINNING - test.clock.now();
        test.clock.advance(until);
        let clip = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/infra/muxsim/tests/media/video-audio.mp4"
        );
        Self {
            test,
            http: Client::new(),
            clip: std::fs::read(clip).unwrap(),
            links: Vec::new(),
            runaway: None,
            uploads: 0,
            seen: 0,
            refused: 0,
        }
    }

    fn dana(&self) -> Actor<'_> {
        self.test.as_caller(Caller::Person("dana"))
    }

    /// A video of one of the organisations in turn, and a link to it.
    async fn film(&mut self) {
        let owner = if self.uploads.is_multiple_of(2) {
            self.test.ada()
        } else {
            self.test.cora()
        };
        let title = format!("Video {}", self.uploads);
        let upload = owner.post("/api/uploads", order(&title)).await.created();
        let put = self.http.put(text(&upload, "uploadUrl"));
        let sent = put.body(self.clip.clone()).send().await.unwrap();
        assert!(sent.status().is_success());
        self.test.mux_tells().await;
        let path = format!("/api/assets/{}/shares", text(&upload, "id"));
        let wish = json!({"label": "for Sam", "expiresInHours": 40 * 24});
        let link = owner.post(&path, wish).await.created();
        self.links.push(link);
        self.uploads += 1;
    }

    async fn fetched(&self, url: &str) -> String {
        let answer = self.http.get(url).send().await.unwrap();
        assert!(answer.status().is_success());
        answer.text().await.unwrap()
    }

    /// Somebody watches a link to its end, and their player tells of it. Whether it opened.
    async fn view(&self, link: &Value) -> bool {
        let answer = self.test.open(link, None).await;
        if answer.status == 403 {
            answer.problem(403, "share-paused");
            return false;
        }
        let opened = answer.ok();
        let addresses = async |url: &str| {
            let playlist = self.fetched(url).await;
            let lines = playlist.lines().filter(|it| it.starts_with("http"));
            lines.map(str::to_owned).collect::<Vec<String>>()
        };
        let rendition = addresses(text(&opened, "playbackUrl")).await.remove(0);
        for segment in addresses(&rendition).await {
            let sent = self.http.get(segment).send().await.unwrap();
            assert!(sent.status().is_success());
        }
        self.test.clock.advance(10.seconds());
        let viewer = self.test.anonymous();
        let viewer = viewer.with("x-share-grant", text(&opened, "grant"));
        let path = format!("/api/share/{}/watched", text(link, "token"));
        let told = json!({"asset": opened["assetId"], "seconds": 3});
        assert_eq!(viewer.post(&path, told).await.status, 204);
        true
    }

    async fn day(&mut self, day: u32) {
        let begins = BEGINNING + Duration::days(day.into());
        let until = begins + 8.hours() - self.test.clock.now();
        self.test.clock.advance(until);
        while self.uploads < VIDEOS * (day + 1) / DAYS {
            self.film().await;
        }
        if self.runaway.is_none() {
            self.runaway = Some(self.links[0].clone());
        }
        if day == 9 {
            self.outage().await;
        }
        for view in 0..VIEWS {
            self.test.clock.advance(30.seconds());
            let (runaway, links) = (self.runaway.as_ref().unwrap(), &self.links);
            let link = match view % 5 {
                it if it < OF_FIVE => runaway,
                _ => &links[1 + usize::try_from(view * 7 + day).unwrap() % (links.len() - 1)],
            };
            if self.view(link).await {
                self.seen += 1;
            } else {
                assert_eq!(
                    text(link, "id"),
                    text(runaway, "id"),
                    "nobody else is paused"
                );
                self.refused += 1;
            }
        }
        self.learn().await;
    }

    /// Somebody wishes to upload every minute, in vain.
    async fn outage(&self) {
        self.test.faults.out(true);
        for _ in 0..OUTAGE {
            self.test.clock.advance(1.minutes());
            let busy = self.test.ada().post("/api/uploads", order("In vain")).await;
            busy.problem(503, "video-service-busy");
        }
        self.test.faults.out(false);
        // The breaker opens for half a minute, and closes after three trials that go well.
        self.test.clock.advance(1.minutes());
    }

    /// What schedules do, once a day.
    async fn learn(&self) {
        self.test.clock.advance(2.minutes());
        self.test.anonymous().get("/api/health").await.ok();
        self.test.clock.advance(20.seconds());
        self.test.woken("watch").await.ok();
        let learnt = self.test.woken("usage").await.ok();
        assert_eq!(learnt["pass"]["failed"], 0, "{learnt}");
        self.test.clock.advance(1.minutes());
    }

    /// What Mux itself says of a day, in microseconds.
    async fn at_mux(&self, day: Date) -> u64 {
        let from = shared::costs::midnight(day).unix_timestamp();
        let to = from + Duration::DAY.whole_seconds();
        let mut micros = 0;
        for page in 1.. {
            let path =
                format!("delivery-usage?timeframe[]={from}&timeframe[]={to}&limit=100&page={page}");
            let usage = self.test.at_mux(Method::GET, &path, Value::Null).await;
            let reports = usage["data"].as_array().unwrap();
            if reports.is_empty() {
                break;
            }
            micros += reports
                .iter()
                .map(|it| {
                    let seconds = format!("{:.6}", it["delivered_seconds"].as_f64().unwrap());
                    seconds.replace('.', "").parse::<u64>().unwrap()
                })
                .sum::<u64>();
        }
        micros
    }
}

fn money(text: &Value) -> Money {
    text.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_month_costs_what_mux_delivered_and_what_ran_away_was_stopped() {
    let mut month = Month::begin().await;
    for day in 0..DAYS {
        month.day(day).await;
    }
    assert_eq!(month.seen + month.refused, VIEWS * DAYS);
    assert!(month.refused > 100, "{} of {}", month.refused, month.seen);
    // The month is closed on the fourth, when Mux has said everything.
    for _ in 0..5 {
        month.test.clock.advance(1.days());
        month.learn().await;
    }
    let report = month.dana().get(MONTH).await.ok();
    let mut delivered = 0;
    for day in 0..DAYS {
        let day = (BEGINNING + Duration::days(day.into())).date();
        delivered += month.at_mux(day).await;
    }
    assert_eq!(report["delivered"]["mux"], delivered, "exactly");
    assert!(delivered > u64::from(month.seen) * 1_000_000);
    let paused = month.test.event_data("guardrail.link-paused").await;
    assert_eq!(paused.len(), 1, "{paused:?}");
    let runaway = month.runaway.as_ref().unwrap();
    assert_eq!(
        paused[0],
        json!({"share": runaway["id"], "mode": "enforce"})
    );
    checks_the_sheet(&month, &report).await;
    checks_the_curve(&month).await;
    checks_the_outage(&month).await;
}

/// Sums of the table for finance agree with the report, to the millionth.
async fn checks_the_sheet(month: &Month, report: &Value) {
    let sheet = month.dana().get(&format!("{MONTH}&format=csv")).await.bytes;
    let mut reader = csv::Reader::from_reader(sheet.as_slice());
    let headers = reader.headers().unwrap().clone();
    let cost = headers.iter().position(|it| it == "cost_usd").unwrap();
    let kind = headers.iter().position(|it| it == "entry").unwrap();
    let rows = reader.records().map(Result::unwrap);
    let rows = rows.filter(|it| &it[kind] == "usage");
    let costs = rows.map(|it| it[cost].parse::<Money>().unwrap());
    let sum = Money::sum(costs).unwrap();
    assert_eq!(sum, money(&report["spent"]));
    assert_eq!(sum.to_cents(), money(&report["spent"]).to_cents());
}

/// The budget's curve stands in the page, as a picture and as a table.
async fn checks_the_curve(month: &Month) {
    let page = month
        .dana()
        .get(&format!("{MONTH}&format=html"))
        .await
        .bytes;
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("<svg") && page.contains("</svg>"));
    assert!(!page.contains("<script") && !page.contains("style=\""));
    let days = (1..=DAYS).filter(|day| page.contains(&format!("2026-04-{day:02}")));
    assert_eq!(days.count(), 30);
}

/// Twenty wishes in vain among all of the month, and nothing else.
async fn checks_the_outage(month: &Month) {
    // Thirty days back from the end of the month.
    let slo = month.dana().get("/api/slo").await.ok();
    let all = slo["objectives"].as_array().unwrap().iter();
    let of = |name: &str| all.clone().find(|it| it["objective"] == name).unwrap();
    let budget = &of("uploads")["budget"];
    assert_eq!(budget["bad"], OUTAGE);
    let good = budget["good"].as_u64().unwrap();
    let (bad, period) = (u64::from(OUTAGE), 30 * 24 * 60);
    assert_eq!(budget["spentMinutes"], period * bad / (good + bad));
    assert_eq!(budget["allowedMinutes"], 43);
    assert_eq!(of("playback")["budget"]["bad"], 0);
}
