// A subscriber of sttp/gsfapi for the conformance suite: Subscriber.exe HOST PORT.
//
// A skeleton: written against the published interface, not compiled or run where it was written. To build it, add this
// file to a console project beside src/samples/InteropTest, with the same references (GSF.Core, GSF.TimeSeries,
// GSF.Communication, sttp.gsf) and System.Web.Extensions for JavaScriptSerializer.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Web.Script.Serialization;
using GSF;
using GSF.TimeSeries;
using sttp;

internal static class Subscriber
{
    private const string Everything = "FILTER ActiveMeasurements WHERE True";

    private static readonly object Lock = new object();
    private static readonly List<string> Measurements = new List<string>();
    private static readonly List<object> Events = new List<object>();
    private static readonly JavaScriptSerializer Json = new JavaScriptSerializer { MaxJsonLength = int.MaxValue };

    private static void Main(string[] arguments)
    {
        TextWriter answers = Console.Out;
        Console.SetOut(Console.Error); // what the library prints is no answer

        DataSubscriber subscriber = new DataSubscriber();
        subscriber.StatusMessage += (_, e) => Console.Error.WriteLine(e.Argument);
        subscriber.ProcessException += (_, e) => Console.Error.WriteLine(e.Argument);
        subscriber.ConnectionEstablished += (_, __) =>
        {
            Tell("connected");
            Subscribe(subscriber, Everything);
        };
        subscriber.ConnectionTerminated += (_, __) => Tell("disconnected");
        subscriber.NewMeasurements += (_, e) => Take(e.Argument);
        subscriber.ConnectionString = $"server={arguments[0]}:{arguments[1]}";
        if (int.TryParse(Environment.GetEnvironmentVariable("STTP_VERSION"), out int version))
            subscriber.Version = version;
        subscriber.AutoSynchronizeMetadata = false; // there is no database here
        subscriber.Initialize();
        subscriber.Start();

        for (string line; (line = Console.In.ReadLine()) != null;)
        {
            Dictionary<string, object> request = Json.Deserialize<Dictionary<string, object>>(line);
            string answer;
            try
            {
                answer = Answer(subscriber, request);
            }
            catch (Exception error)
            {
                answer = "\"error\":" + Json.Serialize(error.Message);
            }
            answers.WriteLine("{\"id\":" + request["id"] + "," + answer + "}");
            answers.Flush();
        }
        Environment.Exit(0);
    }

    private static string Answer(DataSubscriber subscriber, IDictionary<string, object> request)
    {
        switch ((string)request["do"])
        {
            case "report":
                lock (Lock)
                {
                    string found = string.Join(",", Measurements);
                    Measurements.Clear();
                    return "\"ok\":true,\"measurements\":[" + found + "]";
                }
            case "events":
                lock (Lock)
                {
                    string found = Json.Serialize(Events);
                    Events.Clear();
                    return "\"ok\":true,\"events\":" + found;
                }
            case "subscribe":
                // It says only whether the command was sent. What the publisher answers is in its status messages.
                Subscribe(subscriber, (string)request["filter"]);
                return "\"ok\":true";
            case "unsubscribe":
                subscriber.Unsubscribe();
                return "\"ok\":true";
            default:
                return "\"unsupported\":true";
        }
    }

    private static void Subscribe(DataSubscriber subscriber, string filter)
    {
        subscriber.Subscribe(new SubscriptionInfo { FilterExpression = filter });
    }

    private static void Tell(string name)
    {
        lock (Lock)
            Events.Add(new Dictionary<string, object> { ["event"] = name, ["reason"] = "" });
    }

    private static void Take(IEnumerable<IMeasurement> arrived)
    {
        lock (Lock)
        {
            foreach (IMeasurement each in arrived)
            {
                string value = each.Value.ToString("R", CultureInfo.InvariantCulture);
                if (double.IsNaN(each.Value) || double.IsInfinity(each.Value))
                    value = "\"" + value + "\""; // NaN, Infinity, -Infinity
                string id = each.Key.SignalID.ToString("D").ToLowerInvariant();
                Measurements.Add($"[\"{id}\",{each.Timestamp.Value},{value},{(uint)each.StateFlags}]");
            }
        }
    }
}
